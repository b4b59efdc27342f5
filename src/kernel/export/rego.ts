import type { Exported, ExportedRule } from './exported.ts';
import type { Formula, Rail, TestFormula } from './formula.ts';
import { RAILS } from './formula.ts';
import { EXPRESSED, headerOf, LEFT_OUT, oneLine, placeOf } from './header.ts';
import { inputOf, passing } from './input.ts';
import type { Coverage, Target } from './target.ts';

const COVERAGE: Coverage = {
  expressed: [
    ...EXPRESSED,
    '`definitely`, `possibly`: the rules of the places of `input`; `unknown` is the second less the first',
    '`not_allowed`: prohibitions that definitely apply in the market; `not_allowed_possibly`: those that possibly do; `ruled`: false where no binding law is exported, so that nothing can be told',
  ],
  leftOut: LEFT_OUT,
};

/** The answer as a whole, the entry point for `opa build`. */
export const ENTRYPOINT = 'comity/answer';

export const rego: Target = {
  title: 'Rego',
  file: 'law.rego',
  inputExtension: 'json',
  coverage: COVERAGE,
  // Rules name each other, bodies hold any formula, words are strings: nothing of the language is beyond Rego.
  refuse: () => new Map(),
  render,
  beside: () => new Map(),
  input: (exported, subject) => `${JSON.stringify(inputOf(exported, subject), undefined, 2)}\n`,
};

function render(exported: Exported): string {
  const writer = new Writer(exported);
  for (const { kind, name, rails } of exported.definitions) {
    const found = kind === 'rule' ? exported.rules.find(({ rule }) => rule.id === name) : undefined;
    if (found === undefined) writer.say(`# ${name} is concluded`);
    else for (const line of commentOf(found)) writer.say(`# ${line}`);
    for (const rail of RAILS) writer.define(writer.nameOf(kind, name, rail), rails[rail]);
    writer.say('');
  }
  const header = headerOf('Rego', COVERAGE, exported).map((line) => (line === '' ? '#' : `# ${line}`));
  return `${[
    ...header,
    '',
    'package comity',
    '',
    'import rego.v1',
    '',
    'answer := {',
    ...['definitely', 'possibly', 'unknown', 'not_allowed', 'not_allowed_possibly', 'ruled'].map(
      (name) => `  "${name}": ${name},`,
    ),
    '}',
    '',
    'unknown := possibly - definitely',
    '',
    'not_allowed := definitely & prohibitions',
    '',
    'not_allowed_possibly := possibly & prohibitions',
    '',
    'default ruled := false',
    '',
    `ruled if { some place in input.places; place in ${set(exported.ruled)} }`,
    '',
    ...RAILS.flatMap((rail) => [
      '# Whatever is exported, the set is there.',
      `${rail} contains "" if false`,
      ...exported.rules.map(
        ({ rule, rulebook }) =>
          `${rail} contains ${quote(rule.id)} if { ${quote(rulebook.jurisdiction)} in input.places; ${writer.nameOf('rule', rule.id, rail)} }`,
      ),
      '',
    ]),
    `prohibitions := ${set(exported.rules.flatMap(({ rule, prohibits }) => (prohibits ? [rule.id] : [])))}`,
    '',
    '# The bounds that rules test, by fact: what positions count.',
    `scales := ${JSON.stringify(Object.fromEntries([...exported.facts.values()].flatMap(({ key, scale }) => (scale.length === 0 ? [] : [[key, scale]]))))}`,
    '',
    ...writer.lines,
    '# Tests on facts.',
    ...writer.tests(),
  ].join('\n')}\n`;
}

function commentOf({ rule, rulebook, status }: ExportedRule): readonly string[] {
  return [
    `${rule.id}: ${oneLine(rule.cite)} (${oneLine(rulebook.citation)})`,
    `${rule.effect.kind}, ${status} · ${placeOf({ rule })}`,
    ...(rule.ambiguous === undefined ? [] : [`unsettled: ${oneLine(rule.ambiguous)}`]),
  ];
}

function quote(text: string): string {
  return JSON.stringify(text);
}

const PREFIX: Readonly<Record<Rail, string>> = { definitely: 'yes', possibly: 'may' };

/** Writes rules. Rego has no `or` within a body and cannot negate one: parts get names of their own. */
class Writer {
  readonly lines: string[] = [];
  readonly #exported: Exported;
  readonly #names = new Map<string, string>();
  readonly #taken = new Set<string>();
  readonly #tests = new Map<string, readonly string[]>();
  #parts = 0;

  constructor(exported: Exported) {
    this.#exported = exported;
  }

  say(line: string): void {
    this.lines.push(line);
  }

  /** A name that Rego takes, one for each rule or conclusion and rail. */
  nameOf(kind: 'rule' | 'concluded', name: string, rail: Rail): string {
    return this.#named(`${kind} ${name} ${rail}`, `${PREFIX[rail]}_${kind}_${name}`);
  }

  /** Defines a name as a formula. A name that is never true is undefined, which the rest reads as false. */
  define(name: string, formula: Formula): void {
    if (formula.kind === 'constant') {
      this.lines.push(`${name} if ${formula.value}`);
      return;
    }
    if (formula.kind === 'or') {
      const bodies = formula.of.map((child) => this.#body(child, name));
      this.lines.push(...bodies.map((body) => rule(name, body)));
      return;
    }
    const body = this.#body(formula, name);
    this.lines.push(rule(name, body));
  }

  tests(): readonly string[] {
    return [...this.#tests.values()].flat();
  }

  #named(key: string, wish: string): string {
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const plain = wish.replace(/[^A-Za-z0-9]+/g, '_');
    let name = plain;
    for (let i = 2; this.#taken.has(name); i++) name = `${plain}_${i}`;
    this.#taken.add(name);
    this.#names.set(key, name);
    return name;
  }

  /** The expressions of a body that is true where the formula is. */
  #body(formula: Formula, within: string): readonly string[] {
    switch (formula.kind) {
      case 'constant':
        return [String(formula.value)];
      case 'and':
        return formula.of.flatMap((child) => this.#body(child, within));
      case 'or': {
        const part = this.#part(within);
        this.define(part, formula);
        return [part];
      }
      case 'at-least': {
        const part = this.#part(within);
        const bodies = formula.of.map((child) => this.#body(child, within));
        this.lines.push(...bodies.map((body, i) => rule(`${part} contains ${i}`, body)));
        return [`count(${part}) >= ${formula.n}`];
      }
      case 'test': {
        const name = this.#test(formula);
        return [formula.negated ? `not ${name}` : name];
      }
      default: {
        const name = this.nameOf(formula.kind, formula.name, formula.rail);
        return [formula.negated ? `not ${name}` : name];
      }
    }
  }

  #part(within: string): string {
    this.#parts += 1;
    return this.#named(
      `part ${this.#parts}`,
      `part_${this.#parts}_of_${within.replace(/^part_\d+_of_/, '')}`,
    );
  }

  #test(formula: TestFormula): string {
    const { key, test, rail } = formula;
    const named = `test ${key} ${JSON.stringify(test)} ${rail}`;
    const name = this.#named(named, `${PREFIX[rail]}_${key}_${wordsOf(test)}`);
    if (!this.#tests.has(named)) {
      const scale = this.#exported.facts.get(key)?.scale ?? [];
      this.#tests.set(named, [...testRules(name, formula, scale), '']);
    }
    return name;
  }
}

function wordsOf(test: TestFormula['test']): string {
  switch (test.kind) {
    case 'known':
      return 'known';
    case 'is':
      return `is_${test.value}`;
    case 'range':
      return Object.entries(test.range).join('_');
    default:
      return [test.kind, ...test.values].join('_').slice(0, 60);
  }
}

function rule(head: string, body: readonly string[]): string {
  return `${head} if { ${body.join('; ')} }`;
}

/** A fact that the input does not have is unknown: nothing is definitely so of it, everything possibly. */
function testRules(name: string, formula: TestFormula, scale: readonly string[]): readonly string[] {
  const fact = `input.facts[${quote(formula.key)}]`;
  const rules = passes(formula, fact, scale).map((body) => rule(name, body));
  return formula.rail === 'definitely' ? rules : [`${name} if not ${fact}`, ...rules];
}

/** Bodies, one of which is true where the test is passed on its rail. */
function passes(
  { test, rail, fact: { type } }: TestFormula,
  fact: string,
  scale: readonly string[],
): readonly (readonly string[])[] {
  const definitely = rail === 'definitely';
  switch (test.kind) {
    case 'known': {
      if (!definitely) return [[fact]];
      if (type === 'set') return [[`every word in ${fact}.possible { word in ${fact}.certain }`]];
      return type === 'bool' || type === 'enum' ? [[`count(${fact}.possible) == 1`]] : [[`${fact}.known`]];
    }
    case 'is':
    case 'in': {
      const words = set(test.kind === 'is' ? [String(test.value)] : test.values);
      return [
        [definitely ? within(`${fact}.possible`, words) : `some word in ${fact}.possible; word in ${words}`],
      ];
    }
    case 'has':
      return [[`some word in ${fact}.${definitely ? 'certain' : 'possible'}; word in ${set(test.values)}`]];
    case 'only':
      return [[within(`${fact}.${definitely ? 'possible' : 'certain'}`, set(test.values))]];
    case 'range': {
      const { from, to } = passing(scale, test.range);
      const [above, below] = definitely ? ['low', 'high'] : ['high', 'low'];
      return [
        [
          ...(from === undefined ? [] : [`${fact}.${above} >= ${from}`]),
          ...(to === undefined ? [] : [`${fact}.${below} <= ${to}`]),
        ],
      ];
    }
  }
}

function within(words: string, allowed: string): string {
  return `every word in ${words} { word in ${allowed} }`;
}

function set(words: readonly string[]): string {
  return words.length === 0 ? 'set()' : `{${words.map(quote).join(', ')}}`;
}
