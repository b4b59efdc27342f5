import type { FactValue } from '../facts/domain.ts';
import type { Statement } from '../facts/knowledge.ts';
import type { Fact, Vocabulary } from '../facts/vocabulary.ts';
import { factSymbol } from './encode.ts';

/** The names of the solver's constants for these facts. */
export function symbolsOf(facts: Iterable<Fact>): readonly string[] {
  return [...facts].flatMap((fact) =>
    fact.type === 'enum' || fact.type === 'set'
      ? [...fact.values.keys()].map((word) => factSymbol(fact, word))
      : [factSymbol(fact)],
  );
}

/** Concrete facts out of a model of the solver. What the model leaves open may be either: it is taken as not so. */
export function statementsOf(
  vocabulary: Vocabulary,
  facts: Iterable<string>,
  model: Readonly<Record<string, string>>,
): readonly Statement[] {
  return [...new Set(facts)].sort().flatMap((id) => {
    const fact = vocabulary.facts.get(id);
    const value = fact === undefined ? undefined : factValue(fact, model);
    return value === undefined ? [] : [{ fact: id, value }];
  });
}

function factValue(fact: Fact, model: Readonly<Record<string, string>>): FactValue | undefined {
  const isTrue = (word: string): boolean => model[factSymbol(fact, word)] === 'true';
  switch (fact.type) {
    case 'bool':
      return model[factSymbol(fact)] === 'true';
    case 'enum':
      return [...fact.values.keys()].find(isTrue);
    case 'set':
      return [...fact.values.keys()].filter(isTrue).sort();
    case 'date': {
      const days = numberOf(model[factSymbol(fact)]);
      return days === undefined ? undefined : new Date(Number(days) * 86_400_000).toISOString().slice(0, 10);
    }
    default:
      return numberOf(model[factSymbol(fact)]);
  }
}

/** The solver writes numbers as `12`, `12.0`, `(- 12)`, `(/ 1.0 2.0)` or `1/2`; other fractions are left open. */
function numberOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const whole = /^(\d+)(?:\.0)?$/.exec(text);
  if (whole?.[1] !== undefined) return whole[1];
  const fraction = /^\(?\/?\s*(\d+)(?:\.0)?[/\s]+(\d+)(?:\.0)?\)?$/.exec(text);
  if (fraction?.[1] === undefined || fraction[2] === undefined) return undefined;
  const value = Number(fraction[1]) / Number(fraction[2]);
  return Number.isFinite(value) ? String(value) : undefined;
}
