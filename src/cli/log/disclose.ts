import { LedgerError } from '../../ledger/errors.ts';
import type { Range } from '../../ledger/evidence/multiproof.ts';
import type { LogView } from '../../ledger/log/log.ts';
import type { AuditRecord } from '../../ledger/record/record.ts';
import { recordValidator } from '../../ledger/record/validate.ts';
import { type Disclosure, readDisclosure } from '../../ledger/sealing/disclosure.ts';
import { openSealed } from '../../ledger/sealing/seal.ts';
import { type Arguments, type Io, mistake } from '../command.ts';
import type { LogPlace } from './places.ts';
import { withVaultOf } from './vault.ts';

/** Single sealed fields of some entries, to be shown in the clear. */
export interface DisclosedEntry {
  readonly index: number;
  readonly disclosures: readonly Disclosure[];
}

/** The fields of `--disclose`, wherever they are sealed in the chosen entries and can still be opened. */
export async function chosenDisclosures(
  place: LogPlace,
  log: LogView,
  ranges: readonly Range[],
  args: Arguments,
  io: Io,
): Promise<readonly DisclosedEntry[]> {
  const names = args.texts('disclose');
  if (names.length === 0) return [];
  return withVaultOf(place, log, args, io, async (vault) => {
    const { parse } = recordValidator();
    const disclosed: DisclosedEntry[] = [];
    const others = new Set<string>();
    const missing = new Set(names);
    for (const { from, to } of ranges) {
      let index = from;
      for await (const entries of log.entries(from, to)) {
        for (const bytes of entries) {
          const record = sealedRecord(parse, bytes);
          const { disclosures } =
            record === undefined ? { disclosures: [] } : await openSealed(record, vault);
          const named = disclosures.filter((disclosure) => {
            const { name } = readDisclosure(disclosure);
            missing.delete(name);
            others.add(name);
            return names.includes(name);
          });
          if (named.length > 0) disclosed.push({ index, disclosures: named });
          index += 1;
        }
      }
    }
    const [first] = missing;
    if (first === undefined) return disclosed;
    const known = [...others].sort().map((name) => `\`${name}\``);
    throw mistake(
      `no chosen entry has a sealed field \`${first}\` that can still be opened`,
      known.length === 0 ? 'nothing that is sealed in them can be opened' : `they have ${known.join(', ')}`,
      'unknown-name',
    );
  });
}

const SEALED_MARK = Buffer.from('"sealed":');

/** Most entries have nothing sealed, and need not be parsed. */
function sealedRecord(parse: (bytes: Uint8Array) => AuditRecord, bytes: Uint8Array): AuditRecord | undefined {
  if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(SEALED_MARK)) return undefined;
  try {
    return parse(bytes);
  } catch (error) {
    if (error instanceof LedgerError) return undefined;
    throw error;
  }
}
