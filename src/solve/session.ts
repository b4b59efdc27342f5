import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What is asked of the solver process: clauses once, then questions. */
export type SolverRequest =
  | { readonly kind: 'assert'; readonly text: string }
  /** Forget everything. */
  | { readonly kind: 'reset' }
  /** Are these formulas together satisfiable? If so, which of `values` are true, and what are the numbers? */
  | {
      readonly kind: 'check';
      readonly formulas: readonly string[];
      readonly values: readonly string[];
      readonly timeoutMs: number;
    };

export type SolverReply =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'answer';
      readonly sat: 'sat' | 'unsat' | 'unknown';
      readonly model: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'failed'; readonly why: string };

/** The solver is not installed, or died. */
export class SolverError extends Error {
  readonly code: 'absent' | 'failed';

  constructor(code: 'absent' | 'failed', message: string) {
    super(message);
    this.name = 'SolverError';
    this.code = code;
  }
}

/**
 * A solver in a process of its own, ended after use: its quarter of a gigabyte never stays.
 *
 * @throws SolverError `absent` when the optional dependency `z3-solver` is not installed.
 */
export class SolverSession {
  readonly #child: ChildProcess;
  readonly #waiting: { resolve: (reply: SolverReply) => void; reject: (error: Error) => void }[] = [];

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (reply: SolverReply) => this.#waiting.shift()?.resolve(reply));
    child.on('exit', (code) => {
      for (const { reject } of this.#waiting.splice(0))
        reject(new SolverError('failed', `the solver ended with code ${code ?? 'none'}`));
    });
  }

  static async open(): Promise<SolverSession> {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const child = fork(fileURLToPath(new URL(`./worker.${extension}`, import.meta.url)), {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const session = new SolverSession(child);
    const ready = await new Promise<SolverReply>((resolve, reject) =>
      session.#waiting.push({ resolve, reject }),
    );
    if (ready.kind === 'ready') return session;
    session.close();
    throw new SolverError('absent', ready.kind === 'failed' ? ready.why : 'the solver did not start');
  }

  async assert(text: string): Promise<void> {
    await this.#ask({ kind: 'assert', text });
  }

  /** Forgets everything that was asserted. */
  async reset(): Promise<void> {
    await this.#ask({ kind: 'reset' });
  }

  /** Whether the formulas can all be true with what was asserted, and the values asked for if they can. */
  async check(
    formulas: readonly string[],
    values: readonly string[] = [],
    timeoutMs = 10_000,
  ): Promise<Extract<SolverReply, { kind: 'answer' }>> {
    const reply = await this.#ask({ kind: 'check', formulas, values, timeoutMs });
    if (reply.kind !== 'answer') throw new SolverError('failed', 'the solver gave no answer');
    return reply;
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }

  async #ask(request: SolverRequest): Promise<SolverReply> {
    const reply = await new Promise<SolverReply>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#child.send(request);
    });
    if (reply.kind === 'failed') throw new SolverError('failed', reply.why);
    return reply;
  }
}
