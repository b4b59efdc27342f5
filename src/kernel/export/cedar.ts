import type { Problem } from '../../facts/problem.ts';
import type { Definition, Exported, ExportedFact, ExportedRule, SkippedRule } from './exported.ts';
import type { Formula, Rail, TestFormula } from './formula.ts';
import { RAILS } from './formula.ts';
import { EXPRESSED, headerOf, LEFT_OUT, oneLine, placeOf } from './header.ts';
import type { EngineInput } from './input.ts';
import { inputOf, passing } from './input.ts';
import type { Coverage, Target } from './target.ts';

/**
 * Cedar has no definitions that policies share: what a rule rests on is written out in its policy. Past this many tests
 * a policy is refused.
 */
const MOST_TESTS = 10_000;

const COVERAGE: Coverage = {
  expressed: [
    ...EXPRESSED,
    'action `evaluate`: one `permit` policy per rule and rail; the determining policies of the answer are the rules that hold',
    'action `release` in a market: denied where a prohibition possibly applies or has been skipped, and where no binding law is exported; only there',
  ],
  leftOut: [
    ...LEFT_OUT,
    'exceptions as policies of their own right: Cedar knows only forbid over permit, so they are folded into what they defeat',
    `a rule that rests on more than ${MOST_TESTS} tests`,
  ],
};

export const cedar: Target = {
  title: 'Cedar policies',
  file: 'law.cedar',
  inputExtension: 'json',
  coverage: COVERAGE,
  refuse,
  render: (exported) =>
    `${headerOf('Cedar policies', COVERAGE, exported)
      .map((line) => (line === '' ? '//' : `// ${line}`))
      .join('\n')}\n\n${Object.values(cedarPolicies(exported)).join('\n\n')}\n`,
  beside: (exported) => new Map([['law.cedarschema', schemaOf(exported)]]),
  input: (exported, subject) => `${JSON.stringify(cedarRequest(inputOf(exported, subject)), undefined, 2)}\n`,
};

/** The policies by their ids, as engines take them that number policies of a text: `definitely <rule>`, `possibly <rule>`. */
export function cedarPolicies(exported: Exported): Readonly<Record<string, string>> {
  const writer = new Writer(exported);
  const policies = exported.rules.flatMap((one) => [
    ...RAILS.flatMap((rail) => {
      const condition = writer.expression(one.rails[rail]);
      if (condition === false) return [];
      const id = `${rail} ${one.rule.id}`;
      return [[id, `${annotations(id, one)}\n${policy('permit', 'evaluate', one, condition)}`]] as const;
    }),
    ...(one.prohibits ? forbid(one, writer.expression(one.rails.possibly)) : []),
  ]);
  return Object.fromEntries([
    ...(exported.ruled.length === 0 ? [] : [['release', release(exported.ruled)]]),
    ...policies,
    ...exported.skipped.filter(({ prohibits }) => prohibits).map(forbidSkipped),
  ]);
}

function forbid(one: ExportedRule, condition: string | boolean): readonly (readonly [string, string])[] {
  if (condition === false) return [];
  const id = `forbid ${one.rule.id}`;
  return [[id, `${annotations(id, one)}\n${policy('forbid', 'release', one, condition)}`]];
}

/** What is not exported may apply. */
function forbidSkipped({ rule, rulebook, why }: SkippedRule): readonly [string, string] {
  const id = `forbid ${rule.id}`;
  const one = { rule, rulebook, status: `skipped: ${why.message}` };
  return [id, `${annotations(id, one)}\n${policy('forbid', 'release', one, true)}`];
}

/** Where no law is encoded nothing can be told: that is no permission. */
function release(places: readonly string[]): string {
  const ruled = places.map((place) => `resource in Comity::Place::${quote(place)}`).join(' || ');
  return `@id("release")\npermit (\n  principal is Comity::Feature,\n  action == Comity::Action::"release",\n  resource is Comity::Place\n) when {\n  ${ruled}\n};`;
}

function annotations(id: string, one: Pick<ExportedRule, 'rule' | 'rulebook' | 'status'>): string {
  const { rule, rulebook, status } = one;
  return [
    ['id', id],
    ['cite', rule.cite],
    ['instrument', `${rulebook.id}: ${rulebook.citation}`],
    ['effect', rule.effect.kind],
    ['status', status],
    ...(rule.ambiguous === undefined ? [] : [['unsettled', rule.ambiguous]]),
    ['at', placeOf(one)],
  ]
    .map(([name, text = '']) => `@${name}(${quote(oneLine(text))})`)
    .join('\n');
}

function policy(
  effect: 'permit' | 'forbid',
  action: string,
  { rulebook }: Pick<ExportedRule, 'rulebook'>,
  condition: string | true,
): string {
  const scope = `${effect} (\n  principal is Comity::Feature,\n  action == Comity::Action::"${action}",\n  resource in Comity::Place::${quote(rulebook.jurisdiction)}\n)`;
  return condition === true ? `${scope};` : `${scope} when {\n  ${condition}\n};`;
}

function quote(text: string): string {
  return JSON.stringify(text);
}

/** Writes formulas with everything that they name written out; what comes out constant is folded. */
class Writer {
  readonly #exported: Exported;
  readonly #definitions: ReadonlyMap<string, Definition>;
  readonly #written = new Map<string, string | boolean>();

  constructor(exported: Exported) {
    this.#exported = exported;
    this.#definitions = byName(exported);
  }

  expression(formula: Formula): string | boolean {
    switch (formula.kind) {
      case 'constant':
        return formula.value;
      case 'test':
        return testOf(formula, this.#exported.facts.get(formula.key)?.scale ?? []);
      case 'and':
      case 'or':
        return join(
          formula.kind,
          formula.of.map((child) => this.expression(child)),
        );
      case 'at-least':
        return `(${formula.of.map((child) => `(if ${this.expression(child)} then 1 else 0)`).join(' + ')} >= ${formula.n})`;
      default: {
        const value = this.#named(`${formula.kind} ${formula.name}`, formula.rail);
        if (!formula.negated) return value;
        return typeof value === 'boolean' ? !value : `!(${value})`;
      }
    }
  }

  #named(name: string, rail: Rail): string | boolean {
    const key = `${rail} ${name}`;
    const known = this.#written.get(key);
    if (known !== undefined) return known;
    const formula = this.#definitions.get(name)?.rails[rail];
    // INVARIANT: what formulas name is exported with them.
    if (formula === undefined) throw new RangeError(`nothing defines \`${name}\``);
    const text = this.expression(formula);
    this.#written.set(key, text);
    return text;
  }
}

function byName({ definitions }: Exported): ReadonlyMap<string, Definition> {
  return new Map(definitions.map((one) => [`${one.kind} ${one.name}`, one]));
}

function join(kind: 'and' | 'or', parts: readonly (string | boolean)[]): string | boolean {
  const absorbing = kind === 'or';
  if (parts.includes(absorbing)) return absorbing;
  const open = parts.filter((part) => typeof part === 'string');
  const [first = !absorbing, second] = open;
  return second === undefined ? first : `(${open.join(kind === 'and' ? ' && ' : ' || ')})`;
}

/** A fact that the context does not have is unknown: nothing is definitely so of it, everything possibly. */
function testOf(formula: TestFormula, scale: readonly string[]): string {
  const fact = `context[${quote(formula.key)}]`;
  const has = `context has ${quote(formula.key)}`;
  const text =
    formula.rail === 'definitely'
      ? `(${has} && ${definitelyPasses(formula, fact, scale)})`
      : `(if ${has} then ${possiblyPasses(formula, fact, scale)} else true)`;
  return formula.negated ? `!${text}` : text;
}

function definitelyPasses(
  { test, fact: { type, values } }: TestFormula,
  fact: string,
  scale: readonly string[],
): string {
  switch (test.kind) {
    case 'known': {
      if (type === 'set') return `${fact}.certain.containsAll(${fact}.possible)`;
      if (type !== 'bool' && type !== 'enum') return `${fact}.known`;
      const words = type === 'bool' ? ['true', 'false'] : [...values.keys()];
      return `(${words.map((word) => `${list([word])}.containsAll(${fact}.possible)`).join(' || ')})`;
    }
    case 'is':
    case 'in':
      return within(`${fact}.possible`, test.kind === 'is' ? [String(test.value)] : test.values);
    case 'has':
      return `${fact}.certain.containsAny(${list(test.values)})`;
    case 'only':
      return within(`${fact}.possible`, test.values);
    case 'range': {
      const { from, to } = passing(scale, test.range);
      return between(from, `${fact}.low`, `${fact}.high`, to);
    }
  }
}

function possiblyPasses({ test }: TestFormula, fact: string, scale: readonly string[]): string {
  switch (test.kind) {
    case 'known':
      return 'true';
    case 'is':
    case 'in':
    case 'has': {
      const words = test.kind === 'is' ? [String(test.value)] : test.values;
      return `${fact}.possible.containsAny(${list(words)})`;
    }
    case 'only':
      return within(`${fact}.certain`, test.values);
    case 'range': {
      const { from, to } = passing(scale, test.range);
      return between(from, `${fact}.high`, `${fact}.low`, to);
    }
  }
}

function between(from: number | undefined, above: string, below: string, to: number | undefined): string {
  const parts = [
    ...(from === undefined ? [] : [`${above} >= ${from}`]),
    ...(to === undefined ? [] : [`${below} <= ${to}`]),
  ];
  return `(${parts.join(' && ')})`;
}

/** An empty set has no type of its own in Cedar. */
function within(set: string, words: readonly string[]): string {
  return words.length === 0 ? `${set}.isEmpty()` : `${list(words)}.containsAll(${set})`;
}

function list(words: readonly string[]): string {
  return `[${words.map(quote).join(', ')}]`;
}

function refuse(exported: Exported): ReadonlyMap<string, Problem> {
  const definitions = byName(exported);
  const sizes = new Map<string, number>();
  const sizeOf = (formula: Formula): number => {
    switch (formula.kind) {
      case 'constant':
        return 0;
      case 'test':
        return 1;
      case 'rule':
      case 'concluded': {
        const key = `${formula.rail} ${formula.kind} ${formula.name}`;
        const named = definitions.get(`${formula.kind} ${formula.name}`);
        const size = sizes.get(key) ?? (named === undefined ? 0 : sizeOf(named.rails[formula.rail]));
        sizes.set(key, size);
        return size;
      }
      default:
        return formula.of.reduce((sum, child) => sum + sizeOf(child), 0);
    }
  };
  return new Map(
    exported.rules.flatMap(({ rule, rails }) => {
      const size = Math.max(...RAILS.map((rail) => sizeOf(rails[rail])));
      if (size <= MOST_TESTS) return [];
      const problem: Problem = {
        code: 'too-large',
        message: `rule \`${rule.id}\` rests on ${size} tests, more than the ${MOST_TESTS} that one policy is given`,
        at: rule.at,
        help: 'leave such rules out with `--skip-inexpressible`, or export to rego, smtlib or cel, which share what rules rest on',
      };
      return [[rule.id, problem]];
    }),
  );
}

function schemaOf({ facts }: Exported): string {
  const attributes = [...facts.values()].map((one) => `    ${quote(one.key)}?: ${typeOf(one)},`);
  return `namespace Comity {
  entity Feature;
  // A market, inside the places that contain it.
  entity Place in [Place];
  type Facts = {
${attributes.join('\n')}
  };
  action evaluate, release appliesTo {
    principal: [Feature],
    resource: [Place],
    context: Facts,
  };
}
`;
}

function typeOf({ fact }: ExportedFact): string {
  switch (fact.type) {
    case 'bool':
    case 'enum':
      return '{ possible: Set<String> }';
    case 'set':
      return '{ certain: Set<String>, possible: Set<String> }';
    default:
      return '{ low: Long, high: Long, known: Bool }';
  }
}

/** A request in the form of Cedar's JSON interfaces. */
export interface CedarRequest {
  readonly principal: CedarUid;
  readonly action: CedarUid;
  readonly resource: CedarUid;
  readonly context: EngineInput['facts'];
  readonly entities: readonly {
    readonly uid: CedarUid;
    readonly attrs: Readonly<Record<string, never>>;
    readonly parents: readonly CedarUid[];
  }[];
}

interface CedarUid {
  readonly type: string;
  readonly id: string;
}

/** What is known of a feature in a market as a request to evaluate the rules. */
export function cedarRequest(input: EngineInput): CedarRequest {
  const place = (id: string): CedarUid => ({ type: 'Comity::Place', id });
  const [market = input.market, ...around] = input.places;
  return {
    principal: { type: 'Comity::Feature', id: input.feature },
    action: { type: 'Comity::Action', id: 'evaluate' },
    resource: place(market),
    context: input.facts,
    entities: input.places.map((id) => ({
      uid: place(id),
      attrs: {},
      parents: id === market ? around.map(place) : [],
    })),
  };
}
