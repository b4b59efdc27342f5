import type { CaseResult } from '../../assess/case.ts';
import type { Condition } from '../../facts/condition.ts';
import type { LoadedLaw } from '../../rules/load.ts';
import type { Interval, Penalty, Rule, Rulebook } from '../../rules/rule.ts';
import { describeTest } from '../tree.ts';
import { effectOf } from '../words.ts';

/** A page as nested text: what Markdown and HTML are written from. */
interface Item {
  readonly id: string;
  readonly head: string;
  readonly lines: readonly string[];
  readonly below: readonly Item[];
}

interface Page {
  readonly title: string;
  readonly lead: readonly string[];
  readonly sections: readonly { readonly title: string; readonly items: readonly Item[] }[];
}

const SECTIONS = [
  ['Prohibitions', ['prohibit']],
  ['Duties', ['require']],
  ['Rights', ['grant']],
  ['Permissions', ['permit']],
  ['Classes', ['classify']],
  ['Scope and conclusions', ['define']],
] as const;

/** A condition as one sentence that can be read aloud. */
export function sentenceOf(condition: Condition): string {
  switch (condition.kind) {
    case 'fact':
      return `\`${condition.fact}\` ${describeTest(condition.test)}`;
    case 'derived':
      return `\`${condition.name}\` is ${condition.is ? '' : 'not '}concluded`;
    case 'not':
      return `it is not so that ${sentenceOf(condition.of)}`;
    case 'at-least':
      return `at least ${condition.n} of (${condition.of.map(sentenceOf).join('; ')})`;
    default: {
      const word = condition.kind === 'all' ? ' and ' : ' or ';
      return condition.of
        .map((child) =>
          (child.kind === 'all' || child.kind === 'any') && child.of.length > 1
            ? `(${sentenceOf(child)})`
            : sentenceOf(child),
        )
        .join(word);
    }
  }
}

/** One instrument as a page: rules with their sentence, citation, dates, exceptions nested below what they defeat, cases. */
export function renderInstrument(
  loaded: LoadedLaw,
  rulebook: Rulebook,
  results: readonly CaseResult[],
  format: 'markdown' | 'html',
): string {
  const page = pageOf(loaded, rulebook, results);
  return format === 'markdown' ? markdown(page) : html(page);
}

function pageOf({ law, digest }: LoadedLaw, rulebook: Rulebook, results: readonly CaseResult[]): Page {
  const item = (rule: Rule, depth: number): Item => ({
    id: rule.id,
    head: `${rule.cite}${rule.title === undefined ? '' : `: ${rule.title}`}`,
    lines: linesOf(loadedEffect(rule), rulebook, rule, results),
    below: depth > 5 ? [] : (law.defeaters.get(rule.id) ?? []).map((exception) => item(exception, depth + 1)),
  });
  const loadedEffect = (rule: Rule): string => effectOf(law, rule);
  const sections = SECTIONS.map(([title, kinds]) => ({
    title,
    items: rulebook.rules
      .filter((rule) => (kinds as readonly string[]).includes(rule.effect.kind))
      .map((rule) => item(rule, 0)),
  }));
  const penalties = rulebook.penalties.map(
    (penalty): Item => ({
      id: penalty.id,
      head: `${penalty.cite}: ${penalty.id}`,
      lines: [amountOf(penalty), ...(penalty.note === undefined ? [] : [penalty.note])],
      below: [],
    }),
  );
  return {
    title: rulebook.title,
    lead: [
      rulebook.citation,
      rulebook.url,
      `${rulebook.kind}${rulebook.binding ? '' : ', not binding'} · ${rulebook.status.state} as of ${rulebook.status.asOf} · ${rulebook.depth} · \`${rulebook.id}\` · ruleset \`${digest.slice(0, 8)}\``,
      ...(rulebook.status.note === undefined ? [] : [rulebook.status.note]),
      `Covers: ${rulebook.covers}`,
      `Leaves out: ${rulebook.leavesOut}`,
      'Not legal advice.',
    ],
    sections: [...sections, { title: 'Penalties', items: penalties }].filter(({ items }) => items.length > 0),
  };
}

function linesOf(
  effect: string,
  rulebook: Rulebook,
  rule: Rule,
  results: readonly CaseResult[],
): readonly string[] {
  const cases = results
    .filter(({ case: { expect } }) => expect.fires.includes(rule.id))
    .map(({ case: { id } }) => id);
  return [
    `${rule.when === undefined ? 'Always' : `When ${sentenceOf(rule.when)}`}${rule.scoped && rulebook.scope !== undefined ? ` (and \`${rulebook.scope}\`)` : ''}: ${effect}.`,
    ...(rule.owedBy.length === 0
      ? []
      : [
          `Owed by ${rule.owedBy.map((role) => rulebook.roles.get(role)?.title ?? role).join(', ')}${rule.effort ? ', as an effort' : ''}.`,
        ]),
    `${rule.effective.map(dates).join('; ')} · confidence ${rule.source.confidence} · review ${rule.review} · \`${rule.id}\``,
    ...(rule.ambiguous === undefined ? [] : [`Unsettled: ${rule.ambiguous}`]),
    ...(rule.note === undefined ? [] : [rule.note]),
    ...(cases.length === 0
      ? []
      : [`Cases: ${cases.slice(0, 6).join(', ')}${cases.length > 6 ? ` and ${cases.length - 6} more` : ''}`]),
  ];
}

function dates({ from, to, state, recorded, basis }: Interval): string {
  return `from ${from}${to === undefined ? '' : ` to before ${to}`}${state === 'in-force' ? '' : ` (${state})`}, recorded ${recorded}${basis === undefined ? '' : ` by ${basis}`}`;
}

function amountOf({ max, rules }: Penalty): string {
  const parts = [
    ...(max?.amount === undefined
      ? []
      : [`${max.amount.toLocaleString('en-GB')} ${max.currency ?? ''}`.trim()]),
    ...(max?.turnover_percent === undefined ? [] : [`${max.turnover_percent} % of turnover`]),
  ];
  return `${parts.length === 0 ? 'No amount' : `Up to ${parts.join(' or ')}`}${max?.whichever === undefined ? '' : `, whichever is ${max.whichever}`}${max?.per === undefined ? '' : ` per ${max.per}`}${rules.length === 0 ? '' : `, for ${rules.join(', ')}`}.`;
}

function markdown(page: Page): string {
  const items = (list: readonly Item[], indent: string): readonly string[] =>
    list.flatMap((item) => [
      `${indent}- **${item.head}**`,
      ...item.lines.map((line) => `${indent}  ${line}  `),
      ...items(item.below, `${indent}  `),
    ]);
  return [
    `# ${page.title}`,
    '',
    ...page.lead.flatMap((line) => [line, '']),
    ...page.sections.flatMap(({ title, items: list }) => [`## ${title}`, '', ...items(list, ''), '']),
  ].join('\n');
}

function escapeHtml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

/** Escaped text with `code` and addresses marked up. */
function inline(text: string): string {
  return escapeHtml(text)
    .replace(/`([^`]+)`/g, '<code>$1</code>')
    .replace(/\bhttps?:\/\/[^\s<)]+/g, (address) => `<a href="${address}">${address}</a>`);
}

function html(page: Page): string {
  const items = (list: readonly Item[]): string =>
    `<ul>${list.map((item) => `<li id="${escapeHtml(item.id)}"><strong>${inline(item.head)}</strong>${item.lines.map((line) => `<p>${inline(line)}</p>`).join('')}${item.below.length > 0 ? items(item.below) : ''}</li>`).join('\n')}</ul>`;
  const style =
    'body{max-width:50rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 system-ui,sans-serif}p{margin:.2rem 0}ul{padding-left:1.2rem}li{margin:.7rem 0}li li{border-left:2px solid #ccc;padding-left:.8rem;list-style:none}code{font-size:.9em}';
  return [
    '<!doctype html>',
    `<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(page.title)}</title><style>${style}</style></head>`,
    `<body><main><h1>${inline(page.title)}</h1>`,
    ...page.lead.map((line) => `<p>${inline(line)}</p>`),
    ...page.sections.map(
      ({ title, items: list }) => `<section><h2>${escapeHtml(title)}</h2>${items(list)}</section>`,
    ),
    '</main></body></html>',
    '',
  ].join('\n');
}
