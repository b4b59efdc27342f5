// The solver process: started by session.ts, never imported.
import type { SolverReply, SolverRequest } from './session.ts';

/** The part of z3-solver that is used. */
interface Z3Context {
  readonly Solver: new () => Z3Solver;
  readonly Bool: { const(name: string): unknown };
  readonly Int: { const(name: string): unknown };
  readonly Real: { const(name: string): unknown };
}
interface Z3Solver {
  fromString(text: string): void;
  set(name: string, value: number): void;
  push(): void;
  pop(): void;
  check(): Promise<'sat' | 'unsat' | 'unknown'>;
  model(): {
    decls(): readonly { name(): unknown; toString(): string }[];
    get(declaration: unknown): { toString(): string };
  };
}

function reply(message: SolverReply): void {
  process.send?.(message);
}

async function start(): Promise<void> {
  let context: Z3Context;
  try {
    const name = 'z3-solver/build/node.js';
    const { init } = (await import(name)) as {
      init(): Promise<{ Context: new (name: string) => Z3Context }>;
    };
    context = new (await init()).Context('law');
  } catch (error) {
    reply({
      kind: 'failed',
      why:
        (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND'
          ? 'z3-solver is not installed'
          : String(error),
    });
    return;
  }
  let solver = new context.Solver();
  process.on('message', (request: SolverRequest) => {
    void answer(request).catch((error: unknown) => reply({ kind: 'failed', why: String(error) }));
  });

  async function answer(request: SolverRequest): Promise<void> {
    if (request.kind === 'reset') {
      solver = new context.Solver();
      reply({ kind: 'ready' });
      return;
    }
    if (request.kind === 'assert') {
      // What a text declares stays declared for the texts after it.
      solver.fromString(request.text);
      reply({ kind: 'ready' });
      return;
    }
    solver.push();
    try {
      solver.set('timeout', request.timeoutMs);
      solver.fromString(request.formulas.map((formula) => `(assert ${formula})`).join('\n'));
      const sat = await solver.check();
      const model: Record<string, string> = {};
      if (sat === 'sat' && request.values.length > 0) {
        const wanted = new Set(request.values);
        const found = solver.model();
        for (const declaration of found.decls()) {
          const name = `|${String(declaration.name())}|`;
          if (wanted.has(name)) model[name] = found.get(declaration).toString();
        }
      }
      reply({ kind: 'answer', sat, model });
    } finally {
      solver.pop();
    }
  }
  reply({ kind: 'ready' });
}

await start();
