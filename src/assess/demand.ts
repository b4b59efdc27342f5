import type { Parameter, ParameterValue } from '../facts/control.ts';
import type { Duration } from '../facts/duration.ts';
import { formatDuration, minutesOf } from '../facts/duration.ts';

/** True when what is in place is at least what is asked, in the direction in which demands of this parameter grow. */
export function meets(parameter: Parameter, inPlace: ParameterValue, asked: ParameterValue): boolean {
  switch (parameter.join) {
    case 'max':
      return rank(parameter, inPlace) >= rank(parameter, asked);
    case 'min':
      return rank(parameter, inPlace) <= rank(parameter, asked);
    case 'union':
      return words(asked).every((word) => words(inPlace).includes(word));
    case 'intersection':
      return words(inPlace).every((word) => words(asked).includes(word));
    case 'all-equal':
      return JSON.stringify(inPlace) === JSON.stringify(asked);
  }
}

function rank(parameter: Parameter, value: ParameterValue): number {
  switch (parameter.type) {
    case 'duration':
      return minutesOf(value as Duration);
    case 'enum':
      return [...parameter.values.keys()].indexOf(String(value));
    default:
      return Number(value);
  }
}

function words(value: ParameterValue): readonly string[] {
  return Array.isArray(value) ? value : [String(value)];
}

/** A parameter value as people read it. */
export function formatValue(parameter: Parameter, value: ParameterValue): string {
  if (parameter.type === 'duration') return formatDuration(value as Duration);
  if (Array.isArray(value)) return value.join(', ');
  return typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value);
}
