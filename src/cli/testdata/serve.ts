import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** A command that keeps running, and the first line that it printed. */
export interface Serving {
  readonly line: string;
  readonly process: ChildProcess;
  /** Everything it wrote to standard error so far. */
  err(): string;
  /** Everything it printed so far. */
  out(): string;
  /** Asks it to stop, and gives its exit code. */
  stop(): Promise<number | null>;
}

/** Starts `comity` with a verb that serves, and waits until it has printed a line. */
export function serving(args: readonly string[]): Promise<Serving> {
  const child = spawn(process.execPath, [`${ROOT}/src/cli/main.ts`, ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  child.stderr.on('data', (chunk) => {
    err += String(chunk);
  });
  return new Promise((resolve, reject) => {
    void ended.then((code) => reject(new Error(`comity ${args.join(' ')} ended with ${code}: ${err}`)));
    child.stdout.on('data', (chunk) => {
      out += String(chunk);
      const [line, rest] = out.split('\n');
      if (line === undefined || rest === undefined) return;
      resolve({
        line,
        process: child,
        out: () => out,
        err: () => err,
        stop() {
          child.kill('SIGTERM');
          return ended;
        },
      });
    });
  });
}
