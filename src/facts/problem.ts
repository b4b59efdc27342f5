/** Where something stands in a file. Lines and columns count from 1. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** What can be wrong with what a user gave us. A closed set, so that callers can act on it. */
export type ProblemCode =
  | 'unreadable'
  | 'too-large'
  | 'too-deep'
  | 'syntax'
  | 'alias'
  | 'empty'
  | 'unknown-key'
  | 'unknown-fact'
  | 'unknown-value'
  | 'unknown-name'
  | 'missing'
  | 'wrong-type'
  | 'bad-date'
  | 'bad-number'
  | 'bad-duration'
  | 'duplicate'
  | 'dangling'
  | 'cycle'
  | 'overlap'
  | 'contradiction'
  | 'lint'
  | 'usage';

/** One mistake in the user's input: a lower-case sentence, the place, and what to do next. */
export interface Problem {
  readonly code: ProblemCode;
  readonly message: string;
  readonly at?: Position;
  readonly help?: string;
}

/** Everything that is wrong with one input, all at once. A user's mistake, never an internal error. */
export class InputError extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.name = 'InputError';
    this.problems = problems;
  }
}

/** `file:line:column: message` and a help line below, as compilers print it. */
export function formatProblem(problem: Problem): string {
  const where = problem.at ? `${problem.at.file}:${problem.at.line}:${problem.at.column}: ` : '';
  const help = problem.help === undefined ? '' : `\n  help: ${problem.help}`;
  return `${where}${problem.message}${help}`;
}

/** Throws an {@link InputError} when there is at least one problem. */
export function throwIfAny(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new InputError(problems);
}
