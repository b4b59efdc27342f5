import type { Problem } from '../../facts/problem.ts';
import { InputError } from '../../facts/problem.ts';
import { cedar } from './cedar.ts';
import { cel } from './cel.ts';
import type { Exported, Selection } from './exported.ts';
import { exportLaw } from './exported.ts';
import type { Subject } from './input.ts';
import { rego } from './rego.ts';
import { smtlib } from './smtlib.ts';

/** A language that rules are exported to. */
export interface Target {
  /** What the language is called. */
  readonly title: string;
  /** File of the rules, and of what stands beside them. */
  readonly file: string;
  /** How the input of one market is named. */
  readonly inputExtension: string;
  readonly coverage: Coverage;
  /** Rules that it cannot express, with the reason and the place. */
  refuse(exported: Exported): ReadonlyMap<string, Problem>;
  /** The rules as text: the same bytes for the same law, moment and selection. */
  render(exported: Exported): string;
  /** Further files that belong to the rules, by name. */
  beside(exported: Exported): ReadonlyMap<string, string>;
  /** What is known of a feature in a market, as the engine takes it. */
  input(exported: Exported, subject: Subject): string;
}

/** What a target says, and what it leaves out and why. */
export interface Coverage {
  readonly expressed: readonly string[];
  readonly leftOut: readonly string[];
}

export const TARGETS: Readonly<Record<'cedar' | 'rego' | 'smtlib' | 'cel', Target>> = {
  cedar,
  rego,
  smtlib,
  cel,
};
export type TargetName = keyof typeof TARGETS;

/**
 * The law at a moment for a target.
 *
 * @param skip leave out what the target cannot express; then {@link Exported.skipped} lists it.
 * @throws InputError with every rule that the target cannot express, each with its place, unless they are skipped.
 */
export function exportFor(target: Target, selection: Selection, skip = false): Exported {
  const whole = exportLaw(selection);
  const refused = target.refuse(whole);
  if (refused.size === 0) return whole;
  if (!skip)
    throw new InputError([...refused].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, problem]) => problem));
  return exportLaw(selection, refused);
}
