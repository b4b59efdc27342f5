import type { Decimal } from '../facts/decimal.ts';
import { formatDecimal } from '../facts/decimal.ts';
import type { Domain } from '../facts/domain.ts';
import { isKnown } from '../facts/domain.ts';
import type { FactTest } from '../facts/test.ts';
import type { Fact } from '../facts/vocabulary.ts';
import type { Law } from '../rules/law.ts';
import type { Proof, Reason } from '../rules/proof.ts';
import type { Io } from './command.ts';
import { paint, wrap } from './style.ts';
import { effectOf } from './words.ts';

interface Branch {
  readonly text: string;
  readonly below: readonly Branch[];
}

/** A test in words: `has recruitment`, `> 1e25`, `is true`. */
export function describeTest(test: FactTest): string {
  switch (test.kind) {
    case 'is':
      return `is ${test.value}`;
    case 'in':
      return `is one of ${test.values.join(', ')}`;
    case 'has':
      return test.values.length === 1 ? `has ${test.values[0]}` : `has any of ${test.values.join(', ')}`;
    case 'only':
      return test.values.length === 0 ? 'is empty' : `has only ${test.values.join(', ')}`;
    case 'known':
      return 'is known';
    case 'range': {
      const { gte, gt, lte, lt } = test.range;
      if (gte !== undefined && gte === lte) return `= ${number(gte)}`;
      const parts = [
        gte === undefined ? [] : `≥ ${number(gte)}`,
        gt === undefined ? [] : `> ${number(gt)}`,
        lte === undefined ? [] : `≤ ${number(lte)}`,
        lt === undefined ? [] : `< ${number(lt)}`,
      ];
      return parts.flat().join(' and ');
    }
  }
}

function number(value: string): string {
  return /^-?\d+(\.\d+)?$/.test(value) ? formatDecimal(value as Decimal) : value;
}

/** What is known of a fact, in words. */
export function describeDomain(fact: Fact, domain: Domain): string {
  switch (domain.kind) {
    case 'choice':
      return isKnown(domain)
        ? [...domain.possible].join('')
        : fact.type === 'bool' || domain.possible.size === fact.values.size
          ? 'not stated'
          : `one of ${[...domain.possible].join(', ')}`;
    case 'members': {
      if (isKnown(domain)) return domain.certain.size === 0 ? 'none' : [...domain.certain].join(', ');
      if (domain.certain.size === 0 && domain.possible.size === fact.values.size) return 'not stated';
      return `${domain.certain.size === 0 ? 'nothing certain' : `at least ${[...domain.certain].join(', ')}`}${domain.possible.size > 8 ? '' : `, at most ${[...domain.possible].join(', ') || 'nothing'}`}`;
    }
    case 'interval':
      if (domain.low === undefined && domain.high === undefined) return 'not stated';
      if (isKnown(domain)) return number(domain.low?.value ?? '');
      return [
        domain.low === undefined ? [] : `${domain.low.inclusive ? '≥' : '>'} ${number(domain.low.value)}`,
        domain.high === undefined ? [] : `${domain.high.inclusive ? '≤' : '<'} ${number(domain.high.value)}`,
      ]
        .flat()
        .join(' and ');
  }
}

/** A proof as a readable tree, exceptions nested under what they defeat. */
export function printProof(law: Law, proof: Proof, io: Io): void {
  print({ text: '', below: branchesOf(law, proof) }, '', io);
}

function branchesOf(law: Law, proof: Proof): readonly Branch[] {
  const notYet = proof.inForce
    ? []
    : [
        {
          text:
            proof.next === undefined
              ? 'not in force on that day'
              : `not in force on that day; from ${proof.next.from}`,
          below: [],
        },
      ];
  const scope = proof.scope === undefined ? [] : [branch(law, proof.scope)];
  const when = proof.when === undefined ? [] : flatten(law, proof.when);
  const doubt =
    proof.ambiguous === undefined ? [] : [{ text: `the law is unsettled: ${proof.ambiguous}`, below: [] }];
  const verb = proof.truth === 'unknown' ? 'may be defeated by' : 'defeated by';
  const defeated = proof.defeatedBy.map((one) => ({
    text: `${verb} ${nameOf(law, one)}`,
    below: branchesOf(law, one),
  }));
  const overcame = proof.overcame.map((one) => ({
    text: `${nameOf(law, one)} would defeat this …`,
    below:
      one.defeatedBy.length > 0
        ? one.defeatedBy.map((by) => ({ text: `… but ${nameOf(law, by)}`, below: branchesOf(law, by) }))
        : branchesOf(law, one),
  }));
  return [...notYet, ...scope, ...when, ...doubt, ...defeated, ...overcame];
}

function nameOf(law: Law, proof: Proof): string {
  const rule = law.rules.get(proof.rule);
  if (rule === undefined) return proof.rule;
  return `${rule.cite}${rule.title === undefined ? '' : `: ${rule.title}`} [${rule.id.slice(rule.id.indexOf(':') + 1)}]`;
}

/** The conditions of a conjunction stand side by side below the rule. */
function flatten(law: Law, reason: Reason): readonly Branch[] {
  return reason.kind === 'all' ? reason.of.flatMap((one) => flatten(law, one)) : [branch(law, reason)];
}

function branch(law: Law, reason: Reason): Branch {
  switch (reason.kind) {
    case 'fact':
      return { text: leaf(law, reason), below: [] };
    case 'concluded': {
      const word =
        reason.truth === 'unknown'
          ? 'may be concluded'
          : (reason.truth === 'true') === reason.is
            ? 'concluded'
            : 'not concluded';
      return {
        text: `${reason.name} ${word}`,
        below: reason.by.map((proof) => ({
          text: `${nameOf(law, proof)}${proof.truth === 'true' ? '' : proof.truth === 'false' ? ' does not hold' : ' is open'}`,
          below: branchesOf(law, proof),
        })),
      };
    }
    case 'not': {
      const inner = branch(law, reason.of);
      return { text: `not: ${inner.text}`, below: inner.below };
    }
    default: {
      const [only] = reason.of;
      if (reason.of.length === 1 && only !== undefined) return branch(law, only);
      const head =
        reason.kind === 'at-least'
          ? `at least ${reason.n} of`
          : reason.kind === 'all'
            ? 'all of'
            : reason.truth === 'false'
              ? 'none of'
              : 'any of';
      return { text: head, below: reason.of.map((one) => branch(law, one)) };
    }
  }
}

function leaf(law: Law, reason: Extract<Reason, { kind: 'fact' }>): string {
  const fact = law.vocabulary.facts.get(reason.fact);
  const known = fact === undefined ? '' : describeDomain(fact, reason.domain);
  const said =
    reason.truth === 'true'
      ? `${reason.fact} ${describeTest(reason.test)}`
      : `${reason.fact} ${describeTest(reason.test)}: ${reason.truth === 'false' ? 'no' : 'open'}, ${known}`;
  const value = reason.truth === 'true' && reason.test.kind === 'range' && known !== '' ? ` (${known})` : '';
  return `${said}${value}${originOf(reason)}`;
}

function originOf({ origin }: Extract<Reason, { kind: 'fact' }>): string {
  switch (origin.kind) {
    case 'stated':
      return origin.at === undefined ? '' : `  ${origin.at.file}:${origin.at.line}`;
    case 'implied':
      return `  because ${origin.because}`;
    case 'computed':
      return `  computed from ${origin.from}`;
    case 'nothing':
      return '';
  }
}

function print(node: Branch, indent: string, io: Io): void {
  node.below.forEach((child, i) => {
    const last = i === node.below.length - 1;
    const lines = wrap(child.text, Math.max(30, io.columns - indent.length - 3));
    lines.forEach((line, n) => {
      io.out(
        `${paint(io, 'dim', indent + (n === 0 ? (last ? '└─ ' : '├─ ') : last ? '   ' : '│  '))}${line}\n`,
      );
    });
    print(child, indent + (last ? '   ' : '│  '), io);
  });
}

/** The first lines above a proof: what the rule says, where it stands, since when, how sure we are. */
export function printRuleHead(law: Law, proof: Proof, io: Io): void {
  const rule = law.rules.get(proof.rule);
  if (rule === undefined) return;
  const rulebook = law.rulebooks.get(rule.rulebook);
  for (const line of wrap(effectOf(law, rule), io.columns)) io.out(`${paint(io, 'bold', line)}\n`);
  const interval = proof.interval ?? proof.next;
  const earlier = rule.effective
    .filter((other) => interval !== undefined && other.recorded < interval.recorded)
    .at(-1);
  const since =
    interval === undefined
      ? 'not in force'
      : `from ${interval.from}${interval.to === undefined ? '' : ` to before ${interval.to}`}${earlier === undefined ? '' : ` (until ${interval.basis ?? interval.recorded}: ${earlier.from})`}`;
  const state = interval === undefined || interval.state === 'in-force' ? '' : ` · ${interval.state}`;
  const reviewed = rule.review === 'none' ? 'reviewed by nobody yet' : `reviewed by ${rule.review}`;
  for (const line of [
    `${rulebook?.title ?? ''}, ${rule.cite} · ${rule.id}`,
    `${since}${state} · confidence ${rule.source.confidence} · ${reviewed}`,
    rule.source.url,
    ...(rule.note === undefined ? [] : [`note: ${rule.note}`]),
  ]) {
    for (const part of wrap(line, io.columns)) io.out(`${paint(io, 'dim', part)}\n`);
  }
}
