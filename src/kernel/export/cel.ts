import type { Exported } from './exported.ts';
import type { Formula, TestFormula } from './formula.ts';
import { or, RAILS } from './formula.ts';
import { EXPRESSED, headerOf, LEFT_OUT, oneLine, placeOf } from './header.ts';
import { inputOf, passing } from './input.ts';
import type { Coverage, Target } from './target.ts';

const COVERAGE: Coverage = {
  expressed: [
    ...EXPRESSED,
    '`rules`: an expression for each rail, and the place whose law the rule is: evaluate those of the places of the input',
    '`variables`: what rules share, in the order in which to evaluate them, as in Kubernetes admission policies; each is put into `variables` under its name',
    '`places`: whether some prohibition of a place definitely, or possibly, applies: a market is not allowed where one of its places says so',
    '`ruled`: places with binding law; of a market with none of them nothing can be told',
  ],
  leftOut: LEFT_OUT,
};

/** The exported file. */
export interface CelFile {
  readonly format: 'comity.cel/1';
  readonly about: readonly string[];
  readonly ruleset: string;
  readonly asOf: string;
  readonly knownAt: string;
  readonly variables: readonly { readonly name: string; readonly expression: string }[];
  readonly rules: readonly CelRule[];
  readonly places: readonly {
    readonly place: string;
    readonly notAllowed: string;
    readonly notAllowedPossibly: string;
  }[];
  readonly ruled: readonly string[];
  /** The bounds that rules test, by fact: what positions count. */
  readonly scales: Readonly<Record<string, readonly string[]>>;
}

export interface CelRule {
  readonly id: string;
  readonly cite: string;
  readonly instrument: string;
  readonly place: string;
  readonly effect: string;
  readonly status: string;
  readonly unsettled?: string;
  readonly at: string;
  readonly definitely: string;
  readonly possibly: string;
}

export const cel: Target = {
  title: 'CEL',
  file: 'law.cel.json',
  inputExtension: 'json',
  coverage: COVERAGE,
  // Every formula is an expression, and what rules share is a variable: nothing of the language is beyond CEL.
  refuse: () => new Map(),
  render: (exported) => `${JSON.stringify(celFile(exported), undefined, 2)}\n`,
  beside: () => new Map(),
  input: (exported, subject) => `${JSON.stringify(inputOf(exported, subject), undefined, 2)}\n`,
};

export function celFile(exported: Exported): CelFile {
  const { digest, moment, definitions, rules } = exported;
  const named = namedIn(definitions.flatMap(({ rails }) => RAILS.map((rail) => rails[rail])));
  const write = (formula: Formula): string => expression(exported, formula);
  const prohibitions = rules.filter(({ prohibits }) => prohibits);
  const places = [...new Set(prohibitions.map(({ rulebook }) => rulebook.jurisdiction))].sort();
  return {
    format: 'comity.cel/1',
    about: headerOf('CEL', COVERAGE, exported).filter((line) => line !== ''),
    ruleset: digest,
    asOf: moment.asOf,
    knownAt: moment.knownAt,
    variables: definitions.flatMap(({ kind, name, rails }) =>
      RAILS.flatMap((rail) => {
        const variable = variableOf(kind, name, rail);
        return named.has(variable) ? [{ name: variable, expression: write(rails[rail]) }] : [];
      }),
    ),
    rules: rules.map((one) => {
      const { rule, rulebook, rails, status } = one;
      return {
        id: rule.id,
        cite: oneLine(rule.cite),
        instrument: `${rulebook.id}: ${oneLine(rulebook.citation)}`,
        place: rulebook.jurisdiction,
        effect: rule.effect.kind,
        status,
        ...(rule.ambiguous === undefined ? {} : { unsettled: oneLine(rule.ambiguous) }),
        at: placeOf(one),
        definitely: write(rails.definitely),
        possibly: write(rails.possibly),
      };
    }),
    places: places.map((place) => {
      const own = prohibitions.filter(({ rulebook }) => rulebook.jurisdiction === place);
      return {
        place,
        notAllowed: write(or(own.map(({ rails }) => rails.definitely))),
        notAllowedPossibly: write(or(own.map(({ rails }) => rails.possibly))),
      };
    }),
    ruled: exported.ruled,
    scales: Object.fromEntries(
      [...exported.facts.values()].flatMap(({ key, scale }) => (scale.length === 0 ? [] : [[key, scale]])),
    ),
  };
}

function variableOf(kind: 'rule' | 'concluded', name: string, rail: string): string {
  return `${rail} ${kind} ${name}`;
}

function namedIn(formulas: readonly Formula[]): ReadonlySet<string> {
  const named = new Set<string>();
  const visit = (formula: Formula): void => {
    switch (formula.kind) {
      case 'rule':
      case 'concluded':
        named.add(variableOf(formula.kind, formula.name, formula.rail));
        return;
      case 'and':
      case 'or':
      case 'at-least':
        formula.of.forEach(visit);
    }
  };
  formulas.forEach(visit);
  return named;
}

function expression(exported: Exported, formula: Formula): string {
  const each = (of: readonly Formula[]): readonly string[] => of.map((child) => expression(exported, child));
  switch (formula.kind) {
    case 'constant':
      return String(formula.value);
    case 'and':
      return `(${each(formula.of).join(' && ')})`;
    case 'or':
      return `(${each(formula.of).join(' || ')})`;
    case 'at-least':
      return `(${each(formula.of)
        .map((part) => `(${part} ? 1 : 0)`)
        .join(' + ')} >= ${formula.n})`;
    case 'test':
      return testOf(formula, exported.facts.get(formula.key)?.scale ?? []);
    default: {
      const variable = `variables[${quote(variableOf(formula.kind, formula.name, formula.rail))}]`;
      return formula.negated ? `!${variable}` : variable;
    }
  }
}

function quote(text: string): string {
  return JSON.stringify(text);
}

/** A fact that the input does not have is unknown: nothing is definitely so of it, everything possibly. */
function testOf(formula: TestFormula, scale: readonly string[]): string {
  const key = quote(formula.key);
  const passed = passes(formula, `facts[${key}]`, scale);
  const text =
    formula.rail === 'definitely' ? `(${key} in facts && ${passed})` : `(!(${key} in facts) || ${passed})`;
  return formula.negated ? `!${text}` : text;
}

function passes({ test, rail, fact: { type } }: TestFormula, fact: string, scale: readonly string[]): string {
  const definitely = rail === 'definitely';
  switch (test.kind) {
    case 'known': {
      if (!definitely) return 'true';
      if (type === 'set') return `${fact}.possible.all(w, w in ${fact}.certain)`;
      return type === 'bool' || type === 'enum' ? `size(${fact}.possible) == 1` : `${fact}.known`;
    }
    case 'is':
    case 'in': {
      const words = list(test.kind === 'is' ? [String(test.value)] : test.values);
      return `${fact}.possible.${definitely ? 'all' : 'exists'}(w, w in ${words})`;
    }
    case 'has':
      return `${fact}.${definitely ? 'certain' : 'possible'}.exists(w, w in ${list(test.values)})`;
    case 'only':
      return `${fact}.${definitely ? 'possible' : 'certain'}.all(w, w in ${list(test.values)})`;
    case 'range': {
      const { from, to } = passing(scale, test.range);
      const [above, below] = definitely ? ['low', 'high'] : ['high', 'low'];
      const parts = [
        ...(from === undefined ? [] : [`${fact}.${above} >= ${from}`]),
        ...(to === undefined ? [] : [`${fact}.${below} <= ${to}`]),
      ];
      return `(${parts.join(' && ')})`;
    }
  }
}

function list(words: readonly string[]): string {
  return `[${words.map(quote).join(', ')}]`;
}
