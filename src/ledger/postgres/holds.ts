import { LedgerError, quoted } from '../errors.ts';
import { type Holds, isHeld } from '../sealing/holds.ts';
import type { Sql } from './connection.ts';

/** Reads the holds of a vault in PostgreSQL. @throws {LedgerError} `not-found` */
export async function openPostgresHolds(sql: Sql, name: string): Promise<Holds> {
  const [vault] = await sql<{ id: number }[]>`SELECT id FROM comity.vault WHERE name = ${name}`;
  if (vault === undefined) {
    throw new LedgerError('not-found', `database holds no vault ${quoted(name)}`, 'check its name');
  }
  return {
    async held(record) {
      const tenant = record.resource['comity.tenant'];
      const [whole] = await sql`
        SELECT 1 FROM comity.hold WHERE vault = ${vault.id} AND tenant = ${tenant} AND covers = 'tenant' AND state <> 'released' LIMIT 1`;
      const sealed = record.sealed ?? [];
      if (sealed.length === 0) return isHeld(record, whole !== undefined, []);
      const rows = await sql<{ subject: boolean; own: boolean | null; destroyed: boolean }[]>`
        SELECT
          EXISTS (
            SELECT 1 FROM comity.hold
            WHERE hold.vault = ${vault.id} AND hold.tenant = ${tenant} AND hold.subject = subject_key.subject
              AND hold.state <> 'released'
          ) AS subject,
          part.hold AS own,
          subject_key.id IS NOT NULL AND subject_key.wrapped IS NULL AS destroyed
        FROM jsonb_to_recordset(${JSON.stringify(sealed)}::text::jsonb) AS sealed (k text, h text)
        LEFT JOIN comity.subject_key ON subject_key.vault = ${vault.id} AND subject_key.id = sealed.k
        LEFT JOIN comity.sealed_part AS part ON part.vault = ${vault.id} AND part.k = sealed.k
          AND part.h = sealed.h AND part.record = ${record.id}::uuid`;
      const parts = rows.map(
        ({ subject, own, destroyed }) => ({ subject, own: own ?? 'unknown', destroyed }) as const,
      );
      return isHeld(record, whole !== undefined, parts);
    },
    close: async () => undefined,
  };
}
