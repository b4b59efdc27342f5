import { LedgerError } from '../../ledger/errors.ts';
import type { AuditRecord } from '../../ledger/record/record.ts';
import { recordValidator } from '../../ledger/record/validate.ts';
import { readDisclosure } from '../../ledger/sealing/disclosure.ts';
import { type OpenedRecord, openSealed } from '../../ledger/sealing/seal.ts';
import { decodeUtf8 } from '../../tlog/text.ts';
import { type Arguments, choice, EXIT, type ExitCode, type Io, mistake } from '../command.ts';
import { countOf, required } from '../ledger-input.ts';
import { row } from '../style.ts';
import { directoryOf, withView } from './places.ts';
import { withVaultOf } from './vault.ts';

/** `comity log open`: one entry, and what was sealed into it as far as it can still be opened. */
export async function runLogOpen(rest: readonly string[], args: Arguments, io: Io): Promise<ExitCode> {
  const directory = directoryOf(rest, 'open');
  const index = countOf(
    required(rest[1], 'which entry?', '`comity log open <directory> <index>`; indices count from 0'),
    'index',
  );
  const json = choice(args, 'format', ['table', 'json'], 'table') === 'json';
  return withView(directory, args, async (log, place) => {
    const size = log.published()?.size ?? 0;
    if (index >= size) {
      throw mistake(`entry ${index} is not among the ${size} that are published`, 'indices count from 0');
    }
    const bytes = await log.read(index);
    const record = recordIn(bytes);
    if (record === undefined) {
      const entry = decodeUtf8(bytes) ?? Buffer.from(bytes).toString('base64');
      io.out(json ? `${JSON.stringify({ index, entry }, undefined, 2)}\n` : `${entry}\n`);
      io.err('this entry is no `comity.audit/1` record; nothing can be sealed in it\n');
      return EXIT.clean;
    }
    const opened: OpenedRecord =
      record.sealed === undefined
        ? { disclosures: [], erased: 0, lost: 0 }
        : await withVaultOf(place, log, args, io, (vault) => openSealed(record, vault));
    if (json) io.out(`${JSON.stringify({ index, record, ...fieldsOf(opened) }, undefined, 2)}\n`);
    else print(record, opened, io);
    return EXIT.clean;
  });
}

function recordIn(bytes: Uint8Array): AuditRecord | undefined {
  try {
    return recordValidator().parse(bytes);
  } catch (error) {
    if (error instanceof LedgerError) return undefined;
    throw error;
  }
}

function fieldsOf({ disclosures, erased, lost }: OpenedRecord) {
  return { fields: disclosures.map(readDisclosure), erased, lost };
}

function print(record: AuditRecord, opened: OpenedRecord, io: Io): void {
  const { fields, erased, lost } = fieldsOf(opened);
  io.out(`${JSON.stringify(record, undefined, 2)}\n`);
  if (fields.length > 0) io.out('\nsealed in it\n');
  for (const { name, value } of fields) io.out(row(io, [[`  ${name}`, 30]], JSON.stringify(value), ['bold']));
  const parts = record.sealed?.length ?? 0;
  if (erased > 0) io.out(`\nerased: ${erased} of ${parts} sealed parts; what opened them was destroyed\n`);
  if (lost > 0) io.out(`\nlost: ${lost} of ${parts} sealed parts; restore the vault from its backup\n`);
}
