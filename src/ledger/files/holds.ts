import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LedgerError, quoted } from '../errors.ts';
import type { SealedReference } from '../record/record.ts';
import { fromBase64url } from '../sealing/disclosure.ts';
import { type Holds, isHeld, type PartHold } from '../sealing/holds.ts';
import { PARTS_OF_KEY } from './vault-database.ts';

/**
 * Reads the holds of a vault in a directory, beside a process that may have it open. It opens nothing that is sealed, so
 * no key is needed.
 * @throws {LedgerError} `not-found`
 */
export function openFilesHolds(directory: string): Holds {
  const [keys, blobs] = ['keys.db', 'blobs.db'].map((name) => {
    const path = join(directory, name);
    if (!existsSync(path)) {
      throw new LedgerError(
        'not-found',
        `${quoted(directory)} holds no vault`,
        'name the directory of `keys.db`',
      );
    }
    return new DatabaseSync(path, { readOnly: true, timeout: 5000 });
  }) as [DatabaseSync, DatabaseSync];
  const tenantHold = keys.prepare(
    "SELECT 1 FROM hold WHERE tenant = ? AND covers = 'tenant' AND state <> 'released' LIMIT 1",
  );
  const keyState = keys.prepare(
    `SELECT wrapped IS NULL AS destroyed,
       EXISTS (
         SELECT 1 FROM hold
         WHERE hold.tenant = ?1 AND hold.subject = subject_key.subject AND hold.state <> 'released'
       ) AS held
     FROM subject_key WHERE id = ?2`,
  );
  const partHold = blobs.prepare(
    `${PARTS_OF_KEY} SELECT max(hold) AS own FROM part WHERE h = ?2 AND record = ?3`,
  );

  const partOf = (record: string, tenant: string, { k, h }: SealedReference): PartHold => {
    const key = keyState.get(tenant, k);
    const own = partHold.get(fromBase64url(k), fromBase64url(h), record)?.own;
    return {
      subject: key?.held === 1,
      own: typeof own === 'number' ? own === 1 : 'unknown',
      destroyed: key?.destroyed === 1,
    };
  };

  return {
    async held(record) {
      const tenant = record.resource['comity.tenant'];
      const parts = (record.sealed ?? []).map((part) => partOf(record.id, tenant, part));
      return isHeld(record, tenantHold.get(tenant) !== undefined, parts);
    },
    async close() {
      keys.close();
      blobs.close();
    },
  };
}
