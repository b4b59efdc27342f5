import type { Condition } from '../../facts/condition.ts';
import type { Law } from '../../rules/law.ts';
import type { LoadedLaw } from '../../rules/load.ts';
import type { Rule } from '../../rules/rule.ts';
import type { Io } from '../command.ts';
import { paint, row } from '../style.ts';
import { describeTest } from '../tree.ts';
import { effectOf } from '../words.ts';

/** A condition as indented lines that a lawyer can read. */
export function conditionLines(condition: Condition, depth = 0): readonly string[] {
  const indent = '  '.repeat(depth);
  switch (condition.kind) {
    case 'fact':
      return [`${indent}${condition.fact} ${describeTest(condition.test)}`];
    case 'derived':
      return [`${indent}${condition.name} ${condition.is ? 'is concluded' : 'is not concluded'}`];
    case 'not':
      return [`${indent}not`, ...conditionLines(condition.of, depth + 1)];
    default: {
      const head = condition.kind === 'at-least' ? `at least ${condition.n} of` : `${condition.kind} of`;
      return [`${indent}${head}`, ...condition.of.flatMap((child) => conditionLines(child, depth + 1))];
    }
  }
}

/** One rule in full: effect, citation, dates, condition, what defeats it. */
export function printRule({ law }: LoadedLaw, rule: Rule, io: Io): void {
  const rulebook = law.rulebooks.get(rule.rulebook);
  io.out(row(io, [], effectOf(law, rule), ['bold']));
  io.out(
    `${paint(io, 'dim', `${rulebook?.title ?? ''}, ${rule.cite} · ${rule.id} · ${rule.at.file}:${rule.at.line}`)}\n`,
  );
  for (const { from, to, recorded, basis, state } of rule.effective) {
    io.out(
      row(
        io,
        [['  effective  ', 13]],
        `from ${from}${to === undefined ? '' : ` to before ${to}`}, ${state}, recorded ${recorded}${basis === undefined ? '' : ` (${basis})`}`,
      ),
    );
  }
  if (rule.owedBy.length > 0)
    io.out(
      row(
        io,
        [['  owed by    ', 13]],
        rule.owedBy.map((role) => rulebook?.roles.get(role)?.title ?? role).join(', '),
      ),
    );
  if (rule.scoped && rulebook?.scope !== undefined) io.out(row(io, [['  needs      ', 13]], rulebook.scope));
  if (rule.when !== undefined)
    conditionLines(rule.when).forEach(
      (line, i) => void io.out(`  ${i === 0 ? 'when       ' : '           '}${line}\n`),
    );
  if (rule.ambiguous !== undefined) io.out(row(io, [['  unsettled  ', 13]], rule.ambiguous));
  if (rule.note !== undefined) io.out(row(io, [['  note       ', 13]], rule.note));
  io.out(
    row(
      io,
      [['  source     ', 13]],
      `${rule.source.url}, confidence ${rule.source.confidence}, seen ${rule.source.seen}, review ${rule.review}`,
    ),
  );
  printExceptions(law, rule, io);
}

function printExceptions(law: Law, rule: Rule, io: Io): void {
  for (const exception of law.defeaters.get(rule.id) ?? []) {
    const word = exception.effect.kind === 'defeats' ? exception.effect.word : '';
    io.out(
      row(
        io,
        [['  exception  ', 13]],
        `${word}: ${exception.cite}${exception.title === undefined ? '' : `, ${exception.title}`} [${exception.id}]`,
      ),
    );
  }
}
