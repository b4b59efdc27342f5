import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { exportEvidence } from '../../ledger/evidence/export.ts';
import { readLogKey } from '../../ledger/log/directory.ts';
import { type LogView, readLeaf } from '../../ledger/log/log.ts';
import { receiptSigner } from '../../ledger/log/node-signatures.ts';
import { encodeBase64 } from '../../tlog/base64.ts';
import { parseCheckpoint } from '../../tlog/checkpoint.ts';
import { formatProof } from '../../tlog/proof.ts';
import { issueInclusionReceipt } from '../../tlog/receipt.ts';
import { decodeUtf8 } from '../../tlog/text.ts';
import { type Arguments, choice, EXIT, type ExitCode, type Io, mistake } from '../command.ts';
import { countOf, fileBytes, required } from '../ledger-input.ts';
import { chosenDisclosures } from './disclose.ts';
import { directoryOf, withView } from './places.ts';
import { chosenRanges } from './records.ts';
import { runLogStatic } from './static.ts';

/** `comity log prove`: the proof of one entry, for any tool that knows C2SP tlog-proof or, as a receipt, COSE. */
export async function runLogProve(rest: readonly string[], args: Arguments, io: Io): Promise<ExitCode> {
  const directory = directoryOf(rest, 'prove');
  const index = countOf(
    required(rest[1], 'which entry?', '`comity log prove <directory> <index>`; indices count from 0'),
    'index',
  );
  const format = choice(args, 'format', ['table', 'json'], 'table');
  return withView(directory, args, async (log) => {
    const { note, size, root } = publishedHead(log);
    if (index >= size) {
      throw mistake(`entry ${index} is not among the ${size} that are published`, 'indices count from 0');
    }
    const hashes = await log.tree().inclusionProof(index);
    const proof = formatProof({ index, hashes, checkpoint: parseCheckpoint(note), extra: undefined });
    const [out, receipt] = [args.text('out'), args.text('receipt')];
    if (receipt !== undefined) {
      const claim = { index, size, root, leaf: await readLeaf(log.store, index) };
      const signer = receiptSigner(readLogKey(directory));
      writeNew(receipt, issueInclusionReceipt(claim, hashes, signer, log.hasher));
    }
    if (out !== undefined) writeNew(out, proof);
    else if (receipt === undefined && format === 'table') io.out(proof);
    if (format === 'json') {
      const pruned = index < (await log.store.minimum());
      const entry = pruned ? undefined : await log.read(index);
      const answer = {
        index,
        size,
        root: encodeBase64(root),
        leaf: encodeBase64(await readLeaf(log.store, index)),
        ...(entry === undefined ? { pruned } : { entry: decodeUtf8(entry) ?? encodeBase64(entry) }),
        hashes: hashes.map(encodeBase64),
        checkpoint: note,
      };
      io.out(`${JSON.stringify(answer, undefined, 2)}\n`);
    }
    return EXIT.clean;
  });
}

/** `comity log export`: evidence for somebody who trusts nobody here, or with `--static` the whole log as files. */
export async function runLogExport(rest: readonly string[], args: Arguments, io: Io): Promise<ExitCode> {
  const directory = directoryOf(rest, 'export');
  const tree = args.text('static');
  if (tree !== undefined) return runLogStatic(directory, tree, args, io);
  const out = required(args.text('out'), 'where to?', 'name the file: `--out evidence.zip`');
  const olderHeads = args.texts('older').map((path) => decodeUtf8(fileBytes(path)) ?? '');
  return withView(directory, args, async (log, place) => {
    const { size } = publishedHead(log);
    const ranges = await chosenRanges(place, log, args, io);
    if (ranges.length === 0) throw mistake('no entry meets the conditions', 'widen them', 'empty');
    if (existsSync(out))
      throw mistake(`\`${out}\` exists already`, 'choose another name, or remove the file');
    const disclosures = await chosenDisclosures(place, log, ranges, args, io);
    let bytes: number;
    try {
      bytes = await exportEvidence(out, {
        store: log.store,
        ranges,
        disclosures,
        olderHeads,
        onProgress: (done, total) => io.progress(`${done} of ${total} entries`),
      });
    } catch (error) {
      // Half an archive would only be mistaken for one.
      rmSync(out, { force: true });
      throw error;
    } finally {
      io.progress('');
    }
    const entries = ranges.reduce((sum, { from, to }) => sum + to - from, 0);
    io.err(`${out}: ${entries} of ${size} entries, ${bytes} bytes\n`);
    if (disclosures.length > 0) io.err(`fields of ${disclosures.length} entries can be read in it\n`);
    return EXIT.clean;
  });
}

function publishedHead(log: LogView) {
  const head = log.published();
  if (head !== undefined) return head;
  throw mistake('log has published no checkpoint yet', 'append something first', 'empty');
}

function writeNew(path: string, content: string | Uint8Array): void {
  try {
    writeFileSync(path, content, { flag: 'wx' });
  } catch {
    throw mistake(`cannot write \`${path}\``, 'choose a name that does not exist yet', 'unreadable');
  }
}
