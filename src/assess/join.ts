import type { Control, Parameter, ParameterValue, ParameterValues } from '../facts/control.ts';
import type { Law } from '../rules/law.ts';
import type { Rule } from '../rules/rule.ts';
import type { Finding, MarketAssessment } from './assessment.ts';
import { meets } from './demand.ts';

/** One duty of ours in one market: a control with the parameters that one rule sets. */
export interface Demand {
  readonly market: string;
  readonly rule: Rule;
  readonly control: string;
  readonly parameters: ParameterValues;
  readonly finding: Finding;
}

/** What one value of a joined control is, and which demands pushed it there. */
export interface JoinedValue {
  readonly parameter: string;
  readonly value: ParameterValue;
  readonly from: readonly Demand[];
}

/** Two demands on one control that leave no value: the join is empty. */
export interface EmptyJoin {
  readonly control: string;
  readonly parameter: string;
  readonly left: Demand;
  readonly right: Demand;
}

/** One control as all chosen markets together ask for it. */
export interface JoinedControl {
  readonly control: Control;
  readonly values: readonly JoinedValue[];
  readonly demands: readonly Demand[];
  readonly empty: readonly EmptyJoin[];
}

/** The duties of ours that hold, or that some calls trigger, in each market. */
export function demandsOf(assessments: readonly MarketAssessment[]): readonly Demand[] {
  return assessments.flatMap(({ market, findings }) =>
    findings.flatMap((finding) => {
      const { rule, weight, truth, perRequest } = finding;
      const { effect } = rule;
      if (weight !== 'counts' || (truth === 'unknown' && !perRequest)) return [];
      if (effect.kind !== 'require' && effect.kind !== 'grant') return [];
      return effect.control === undefined
        ? []
        : [{ market, rule, control: effect.control, parameters: effect.parameters, finding }];
    }),
  );
}

/** The strictest build: every control with every parameter joined over all demands, sorted by control. */
export function joinDemands(law: Law, demands: readonly Demand[]): readonly JoinedControl[] {
  const ids = [...new Set(demands.map(({ control }) => control))].sort();
  return ids.flatMap((id) => {
    const control = law.controls.get(id);
    const own = demands.filter((demand) => demand.control === id);
    if (control === undefined) return [];
    const joined = [...control.parameters].flatMap(
      ([name, parameter]) => joinParameter(name, parameter, own) ?? [],
    );
    return [
      {
        control,
        values: joined.map(({ joined: value }) => value),
        demands: own,
        empty: [
          ...joined.flatMap(({ empty }) => empty),
          ...aboveUpper(
            control,
            joined.map(({ joined: value }) => value),
          ),
        ],
      },
    ];
  });
}

interface Joined {
  readonly joined: JoinedValue;
  readonly empty: readonly EmptyJoin[];
}

function joinParameter(name: string, parameter: Parameter, demands: readonly Demand[]): Joined | undefined {
  const setting = demands.flatMap((demand) => {
    const value = demand.parameters[name];
    return value === undefined ? [] : [{ demand, value }];
  });
  const [first, ...others] = setting;
  if (first === undefined) return undefined;
  const value = others.reduce((joined, { value: next }) => joinValues(parameter, joined, next), first.value);
  // A demand pushed the value where it is if the value would be weaker without it, or it asks for just that.
  const from = setting
    .filter(({ value: asked }) =>
      parameter.join === 'union' || parameter.join === 'intersection' ? true : meets(parameter, asked, value),
    )
    .map(({ demand }) => demand);
  return { joined: { parameter: name, value, from }, empty: emptyPairs(name, parameter, setting) };
}

/** The weakest value that meets both. */
export function joinValues(parameter: Parameter, a: ParameterValue, b: ParameterValue): ParameterValue {
  switch (parameter.join) {
    case 'max':
    case 'min':
      return meets(parameter, a, b) ? a : b;
    case 'union':
      return [...new Set([...list(a), ...list(b)])].sort();
    case 'intersection':
      return list(a).filter((word) => list(b).includes(word));
    case 'all-equal':
      return a;
  }
}

function list(value: ParameterValue): readonly string[] {
  return Array.isArray(value) ? value : [String(value)];
}

function emptyPairs(
  name: string,
  parameter: Parameter,
  setting: readonly { readonly demand: Demand; readonly value: ParameterValue }[],
): readonly EmptyJoin[] {
  if (parameter.join !== 'intersection' && parameter.join !== 'all-equal') return [];
  return setting.flatMap(({ demand: left, value: a }, i) =>
    setting.slice(i + 1).flatMap(({ demand: right, value: b }) => {
      const apart =
        parameter.join === 'intersection'
          ? list(a).every((word) => !list(b).includes(word))
          : JSON.stringify(a) !== JSON.stringify(b);
      return apart ? [{ control: left.control, parameter: name, left, right }] : [];
    }),
  );
}

/** A value that must be at least so much, above one that may be at most so much. */
function aboveUpper(control: Control, values: readonly JoinedValue[]): readonly EmptyJoin[] {
  return values.flatMap((lower) => {
    const parameter = control.parameters.get(lower.parameter);
    const upper = values.find((other) => other.parameter === parameter?.upper);
    const [left, right] = [lower.from[0], upper?.from[0]];
    if (parameter === undefined || upper === undefined || left === undefined || right === undefined)
      return [];
    return meets(parameter, upper.value, lower.value)
      ? []
      : [{ control: control.id, parameter: lower.parameter, left, right }];
  });
}
