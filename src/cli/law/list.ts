import type { CaseResult } from '../../assess/case.ts';
import type { LoadedLaw } from '../../rules/load.ts';
import type { Confidence, Review, Rule, Rulebook } from '../../rules/rule.ts';
import { CONFIDENCES, REVIEWS } from '../../rules/rule.ts';
import type { Io } from '../command.ts';
import { paint, row } from '../style.ts';
import { effectOf } from '../words.ts';

/** One instrument in numbers: `schema/law-list.schema.json` describes the list. */
export interface InstrumentRow {
  readonly id: string;
  readonly jurisdiction: string;
  readonly title: string;
  readonly kind: Rulebook['kind'];
  readonly binding: boolean;
  readonly state: Rulebook['status']['state'];
  readonly depth: Rulebook['depth'];
  readonly rules: number;
  /** Cases in which some rule of it holds. */
  readonly cases: number;
  /** Rules by how sure we are of their text. */
  readonly confidence: Readonly<Record<Confidence, number>>;
  /** Rules by who has checked them. */
  readonly review: Readonly<Record<Review, number>>;
}

function tally<K extends string>(
  keys: readonly K[],
  rules: readonly Rule[],
  of: (rule: Rule) => K,
): Readonly<Record<K, number>> {
  return Object.fromEntries(
    keys.map((key) => [key, rules.filter((rule) => of(rule) === key).length]),
  ) as Record<K, number>;
}

/** Every instrument in numbers, by id. */
export function instrumentRows({ law }: LoadedLaw, results: readonly CaseResult[]): readonly InstrumentRow[] {
  return [...law.rulebooks.values()].map((rulebook) => ({
    id: rulebook.id,
    jurisdiction: rulebook.jurisdiction,
    title: rulebook.title,
    kind: rulebook.kind,
    binding: rulebook.binding,
    state: rulebook.status.state,
    depth: rulebook.depth,
    rules: rulebook.rules.length,
    cases: results.filter(({ held }) => rulebook.rules.some((rule) => held.has(rule.id))).length,
    confidence: tally(CONFIDENCES, rulebook.rules, (rule) => rule.source.confidence),
    review: tally(REVIEWS, rulebook.rules, (rule) => rule.review),
  }));
}

/** The list for people. Confidence is the share of high / medium / low in percent. */
export function printList(rows: readonly InstrumentRow[], digest: string, io: Io): void {
  const width = Math.max(12, ...rows.map(({ id }) => id.length)) + 2;
  io.out(
    row(
      io,
      [
        ['instrument', width],
        ['state', 10],
        ['depth', 10],
        ['rules', 6],
        ['cases', 6],
        ['h/m/l %', 10],
      ],
      'review',
      Array(7).fill('dim'),
    ),
  );
  for (const { id, state, depth, rules, cases, confidence, review, binding } of rows) {
    const share = (n: number): string => String(Math.round((100 * n) / Math.max(1, rules)));
    const shares = [confidence.high, confidence.medium, confidence.low].map(share).join('/');
    const reviewed =
      review.counsel > 0
        ? `counsel ${share(review.counsel)} %`
        : review.engineer > 0
          ? `engineer ${share(review.engineer)} %`
          : 'none';
    io.out(
      row(
        io,
        [
          [id, width],
          [state, 10],
          [depth, 10],
          [String(rules), 6],
          [String(cases), 6],
          [shares, 10],
        ],
        `${reviewed}${binding ? '' : ', not binding'}`,
        ['bold'],
      ),
    );
  }
  const rules = rows.reduce((sum, one) => sum + one.rules, 0);
  io.out(
    `${rows.length} instruments of ${new Set(rows.map(({ jurisdiction }) => jurisdiction)).size} jurisdictions, ${rules} rules · ruleset ${digest.slice(0, 8)}\n`,
  );
}

/** One instrument: its header, then rule by rule, exceptions below what they defeat. */
export function printInstrument({ law }: LoadedLaw, rulebook: Rulebook, io: Io): void {
  io.out(`${paint(io, 'bold', rulebook.title)} · ${rulebook.id}\n${rulebook.citation}\n${rulebook.url}\n`);
  io.out(
    `${rulebook.kind}${rulebook.binding ? '' : ', not binding'} · ${rulebook.status.state} as of ${rulebook.status.asOf} · ${rulebook.depth}\n`,
  );
  if (rulebook.status.note !== undefined) io.out(row(io, [], rulebook.status.note));
  io.out(row(io, [['covers      ', 12]], rulebook.covers, ['dim']));
  io.out(row(io, [['leaves out  ', 12]], rulebook.leavesOut, ['dim']));
  io.out('\n');
  for (const rule of rulebook.rules) {
    if (rule.effect.kind === 'defeats') continue;
    printRuleLine(law.defeaters, rule, 0, io, (one) => effectOf(law, one));
  }
  for (const { id, cite, max, note } of rulebook.penalties) {
    const amount =
      max?.amount === undefined ? '' : `${max.amount.toLocaleString('en-GB')} ${max.currency ?? ''}`;
    const share = max?.turnover_percent === undefined ? '' : `${max.turnover_percent} % of turnover`;
    io.out(
      row(
        io,
        [['penalty     ', 12]],
        `${id} (${cite}): ${[amount, share].filter((part) => part !== '').join(' or ')}${max?.whichever === undefined ? '' : `, whichever is ${max.whichever}`}${note === undefined ? '' : `. ${note}`}`,
        ['dim'],
      ),
    );
  }
}

function printRuleLine(
  defeaters: ReadonlyMap<string, readonly Rule[]>,
  rule: Rule,
  depth: number,
  io: Io,
  say: (rule: Rule) => string,
): void {
  const from = rule.effective.at(-1)?.from ?? '';
  const doubt = rule.ambiguous === undefined ? '' : ' · unsettled';
  const confidence = rule.source.confidence === 'high' ? '' : ` · ${rule.source.confidence}`;
  io.out(
    row(
      io,
      [[`${'  '.repeat(depth)}${from}  `, 12 + 2 * depth]],
      `${rule.cite}: ${say(rule)} [${rule.id.slice(rule.id.indexOf(':') + 1)}]${doubt}${confidence}`,
    ),
  );
  if (depth > 3) return;
  for (const exception of defeaters.get(rule.id) ?? [])
    printRuleLine(
      defeaters,
      exception,
      depth + 1,
      io,
      (one) =>
        `${one.effect.kind === 'defeats' ? one.effect.word : 'except'}${one.title === undefined ? '' : `: ${one.title}`}`,
    );
}
