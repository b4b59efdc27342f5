import type { Statement } from '../../facts/knowledge.ts';
import { gather } from '../../facts/knowledge.ts';
import { parseDay } from '../../facts/date.ts';
import type { Day } from '../../facts/date.ts';
import type { FactValue } from '../../facts/domain.ts';
import { Interpreter } from '../interpreter.ts';
import type { Law } from '../law.ts';
import { readLaw } from '../law.ts';

const JURISDICTIONS = `
jurisdictions:
  - {id: AA, name: Aland, kind: country}
  - {id: AA-X, name: Xshire, kind: subdivision, parent: AA}
  - {id: BB, name: Beland, kind: country}
  - {id: UU, name: The Union, kind: union, members: [BB]}
  - {id: "NO", name: Norland, kind: country}
`;

const meta = 'question: Is it?, definition: It is., cites: [], who: engineer, cost: 1, change: 3';
const FACTS = `
topic: t
title: Test
facts:
  - {id: t.a, type: bool, ${meta}}
  - {id: t.b, type: bool, ${meta}}
  - {id: t.c, type: bool, ${meta}}
  - {id: t.kind, type: enum, values: {red: r, green: g, blue: b}, ${meta}}
  - {id: t.uses, type: set, values: {one: 1st, two: 2nd, three: 3rd}, ${meta}}
  - {id: t.flop, type: decimal, ${meta}}
  - {id: t.count, type: int, ${meta}}
  - {id: t.places, type: set, values_from: jurisdictions, ${meta}}
  - {id: market.role, type: set, per: market, values: {maker: m, user: u}, ${meta}}
  - {id: market.since, type: date, per: market, ${meta}}
  - {id: market.here, type: bool, per: market, derive: {inside_market: t.places}, ${meta}}
  - {id: user.young, type: bool, scope: request, ${meta}}
constraints:
  - {id: a-implies-b, when: {t.a: true}, then: {t.b: true}, because: a is a kind of b}
  - {id: none-no-flop, when: {t.uses: {only: []}}, then: {t.count: 0}, because: nothing counts nothing}
`;

const CONTROLS = `
family: LOG
title: Logs
controls:
  - id: LOG-02
    title: Keep logs
    build: Keep them.
    evidence: {sufficient: documented, how: [{kind: document, what: schedule}]}
    parameters:
      retention: {type: duration, means: at least, join: max}
      contents: {type: set, values: {who: w, when: n}, means: what, join: union}
`;

/** A small body of law with the given rulebooks, by path (`aa/act`), each the YAML below its header. */
export function smallLaw(rulebooks: Readonly<Record<string, string>>): Law {
  return readLaw(smallLawFiles(rulebooks), '');
}

export function smallLawFiles(rulebooks: Readonly<Record<string, string>>): readonly { path: string; text: string }[] {
  return [
    { path: 'jurisdictions.yaml', text: JURISDICTIONS },
    { path: 'facts/t.yaml', text: FACTS },
    { path: 'controls/log.yaml', text: CONTROLS },
    ...Object.entries(rulebooks).map(([path, body]) => ({ path: `${path}.yaml`, text: header(path) + body })),
  ];
}

function header(path: string): string {
  const [folder = ''] = path.split('/');
  return `rulebook: ${path}
title: The ${path} Act
jurisdiction: ${folder.toUpperCase()}
kind: statute
citation: Act 1
url: https://example.org/act
status: {state: in-force, as_of: 2026-11-01}
recorded: 2020-01-01
depth: deep
covers: Everything.
leaves_out: Nothing.
namespace: ${folder}.act
source: {url: "https://example.org/act", confidence: high, seen: 2026-11-01}
roles: {maker: {title: maker, when: {market.role: {has: maker}}}}
`;
}

export function day(text: string): Day {
  const parsed = parseDay(text);
  if (parsed === undefined) throw new RangeError(text);
  return parsed;
}

/** Facts as statements, for tests. */
export function stated(facts: Readonly<Record<string, FactValue>>): readonly Statement[] {
  return Object.entries(facts).map(([fact, value]) => ({ fact, value }));
}

/** An interpreter over a small law. */
export function interpret(law: Law, facts: Readonly<Record<string, FactValue>>, asOf = '2026-11-25', market = 'AA', knownAt = asOf): Interpreter {
  const { knowledge } = gather(law.vocabulary, law.jurisdictions, market, stated(facts));
  return new Interpreter({ law, moment: { asOf: day(asOf), knownAt: day(knownAt) }, knowledge });
}
