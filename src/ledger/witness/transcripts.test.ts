import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseVerifierKey, SIGNATURE_TYPES, type VerifierKey, verifierKey } from '../../tlog/note-key.ts';
import { witnessKey } from './keys.ts';
import { openWitnessState } from './state.ts';
import { watchedLog } from './watched-log.ts';
import { openWitness } from './witness.ts';

/** Conversations with the Go witness of Torchwood: their origin and licence stand beside them. */
const TRANSCRIPTS = new URL('../../tlog/testdata/torchwood/', import.meta.url);
const file = (name: string): string => readFileSync(new URL(name, TRANSCRIPTS), 'utf8');

const STEP = /```\n([\s\S]*?)```\nHTTP (\d+)(?:\n\[Asserts\]\nbody == "(\d+)\\n")?/g;
const stepsOf = (name: string) =>
  [...file(name).matchAll(STEP)].map(([, request = '', status, size]) => ({
    request,
    status: Number(status),
    size,
  }));

/** Answers of a new witness that watches the log with one key. */
function answers(name: string, key: VerifierKey, origin?: string) {
  const state = openWitnessState(':memory:');
  const type = SIGNATURE_TYPES.ed25519Cosignature;
  const seed = Buffer.alloc(32, 9);
  const witness = openWitness({
    keys: [witnessKey({ name: 'example.com/witness', keyId: 0, type, seed })],
    logs: [watchedLog(key, origin)],
    state,
  });
  const replies = stepsOf(name).map(({ request }) => witness.addCheckpoint(Buffer.from(request)));
  state.close();
  return replies;
}

describe('a witness answers what the Go witness answers', () => {
  const origin = stepsOf('litewitness.hurl')[0]?.request.split('\n')[2] ?? '';
  // The public key is the one that the log's origin is the hash of (Sigsum).
  const key = verifierKey(
    origin,
    SIGNATURE_TYPES.ed25519,
    Buffer.from('ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f', 'hex'),
  );
  const replies = answers('litewitness.hurl', key);

  test.each(stepsOf('litewitness.hurl').map((step, i) => ({ ...step, i })))(
    'to request $i of its own test: $status',
    ({ request, status, size, i }) => {
      // Two answers differ: an unknown log is 404 since v1.0.0 (it says 403), and the signature that it finds invalid is
      // not even the base64 of one, with bits set after its end, which makes the whole note malformed here.
      const unknown = !request.includes(`\n${origin}\n`);
      const malformed = request.includes('WVrx6gx=');
      expect(replies[i]?.status).toBe(unknown ? 404 : malformed ? 400 : status);
      if (size !== undefined) expect(replies[i]?.body).toBe(`${size}\n`);
      if (status === 200) expect(replies[i]?.body).toMatch(/^— example\.com\/witness /);
    },
  );

  test('to a log that signs with ML-DSA-44', () => {
    expect(
      answers('mldsa.hurl', parseVerifierKey(file('mldsa.vkey').trim())).map(({ status }) => status),
    ).toEqual([200]);
  });

  test('to the Go checksum database, whose key has another name than its origin', () => {
    const key = parseVerifierKey('sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8');
    const statuses = (origin?: string) => answers('sumdb.hurl', key, origin).map(({ status }) => status);
    expect(statuses('go.sum database tree')).toEqual([200]);
    expect(statuses()).toEqual([404]);
  });
});
