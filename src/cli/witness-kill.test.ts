import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nodeHasher } from '../ledger/log/node-hash.ts';
import { generateLogKey, logSigner, verifierKeyOf } from '../ledger/log/node-signatures.ts';
import { originHash } from '../ledger/witness/witness.ts';
import { encodeBase64 } from '../tlog/base64.ts';
import { parseCheckpoint, signCheckpoint } from '../tlog/checkpoint.ts';
import { MemoryTree } from '../tlog/memory-tree.ts';
import { consistencyProof } from '../tlog/merkle.ts';
import { formatVerifierKey } from '../tlog/note-key.ts';
import { comity } from './testdata/run.ts';
import { serving } from './testdata/serve.ts';

const RUNS = process.env.COMITY_LONG === undefined ? 5 : 100;
const ORIGIN = 'example.com/kill';

test(`a witness that is killed ${RUNS} times while it cosigns remembers everything that it cosigned`, {
  timeout: RUNS * 5_000,
}, async () => {
  const directory = join(mkdtempSync(join(tmpdir(), 'comity-witness-kill-')), 'w');
  const logKey = generateLogKey(ORIGIN);
  comity(['witness', 'init', directory, '--name', 'witness.example/kill']);
  comity(['witness', 'trust', directory, formatVerifierKey(verifierKeyOf(logKey))]);
  const hasher = nodeHasher();
  const tree = new MemoryTree(hasher);
  /** Size that the witness is known to have cosigned, and the one that it may have. */
  let [cosigned, asked] = [0, 0];

  for (let run = 0; run < RUNS; run++) {
    const witness = await serving(['witness', 'serve', directory]);
    const remembered = await fetch(`${witness.line}/${originHash(ORIGIN)}/checkpoint`);
    const size = remembered.status === 404 ? 0 : parseCheckpoint(await remembered.text()).checkpoint.size;
    // What was answered is never lost; one that was on its way may be there or not.
    expect([cosigned, asked]).toContain(size);
    cosigned = size;
    const exited = new Promise((resolve) => witness.process.once('exit', resolve));
    const last = 1 + Math.floor(Math.random() * 12);
    for (let answered = 0; ; answered++) {
      // Somewhere in the middle of a request.
      if (answered === last) setTimeout(() => witness.process.kill('SIGKILL'), Math.random() * 8);
      while (tree.size <= cosigned) tree.append(Buffer.from(`entry ${tree.size}`));
      asked = cosigned + 1;
      const note = signCheckpoint({ origin: ORIGIN, size: asked, root: tree.root(asked), extensions: [] }, [
        logSigner(logKey),
      ]);
      const proof = consistencyProof(tree.read, cosigned, asked, hasher).map(
        (hash) => `${encodeBase64(hash)}\n`,
      );
      const body = `old ${cosigned}\n${proof.join('')}\n${note}`;
      const status = await fetch(`${witness.line}/add-checkpoint`, { method: 'POST', body }).then(
        (answer) => answer.status,
        () => undefined,
      );
      if (status === undefined) break;
      expect(status).toBe(200);
      cosigned = asked;
    }
    await exited;
  }
  expect(cosigned).toBeGreaterThanOrEqual(RUNS);
});
