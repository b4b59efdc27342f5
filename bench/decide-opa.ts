import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import type { Exported } from '../src/kernel/export/exported.ts';
import type { EngineInput } from '../src/kernel/export/input.ts';
import { rego } from '../src/kernel/export/rego.ts';
import { freePort, inTemporary } from './processes.ts';

/** Rules in a folder of their own while something is done with them. */
function withRules<T>(
  exported: Exported,
  work: (folder: string, file: string) => Promise<T> | T,
): Promise<T> {
  return inTemporary((folder) => {
    const file = join(folder, rego.file);
    writeFileSync(file, rego.render(exported));
    return work(folder, file);
  });
}

interface RegoAnswer {
  readonly definitely: readonly string[];
  readonly possibly: readonly string[];
}

/** A server of OPA with the rules in it, asked over one kept connection of loopback. */
export async function withServer<T>(
  command: string,
  exported: Exported,
  work: (ask: (input: EngineInput) => Promise<RegoAnswer>) => Promise<T>,
): Promise<T> {
  return withRules(exported, async (_folder, file) => {
    const port = await freePort();
    const server = spawn(
      command,
      ['run', '--server', '--log-level', 'error', '--addr', `127.0.0.1:${port}`, file],
      {
        stdio: 'ignore',
      },
    );
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const post = (path: string, body: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const sent = request({ host: '127.0.0.1', port, path, method: 'POST', agent }, (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => resolve(Buffer.concat(chunks).toString()));
        });
        sent.on('error', reject);
        sent.setHeader('content-type', 'application/json');
        sent.end(body);
      });
    const ask = async (input: EngineInput): Promise<RegoAnswer> => {
      const { result } = JSON.parse(await post('/v1/data/comity/answer', JSON.stringify({ input }))) as {
        readonly result: RegoAnswer;
      };
      return result;
    };
    try {
      await until(() => post('/v1/data/comity/prohibitions', '{}'));
      return await work(ask);
    } finally {
      agent.destroy();
      server.kill();
    }
  });
}

async function until(ready: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await ready();
      return;
    } catch (error) {
      if (tries >= 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** What OPA's own benchmark says of one decision, in microseconds: the query is prepared, no process or wire between. */
export function ownBenchmark(
  command: string,
  exported: Exported,
  input: EngineInput,
): Promise<{ readonly median: number; readonly p99: number; readonly runs: number }> {
  return withRules(exported, (folder, file) => {
    const inputFile = join(folder, 'input.json');
    writeFileSync(inputFile, JSON.stringify(input));
    const out = execFileSync(
      command,
      ['bench', '--format', 'json', '-d', file, '-i', inputFile, 'data.comity.answer'],
      { encoding: 'utf8', maxBuffer: 1 << 26 },
    );
    const { N: runs, Extra } = JSON.parse(out) as {
      readonly N: number;
      readonly Extra: Readonly<Record<string, number>>;
    };
    const at = (name: string): number =>
      (Extra[`histogram_timer_rego_query_eval_ns_${name}`] ?? Number.NaN) / 1000;
    return { median: at('median'), p99: at('99%'), runs };
  });
}
