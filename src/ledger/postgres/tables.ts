import type { Sql } from './connection.ts';

/** Any number: processes that make tables at the same time have to agree on it. */
const MAKING_TABLES = 7_102_611;

/**
 * Makes tables unless they are there. `IF NOT EXISTS` alone does not keep two that make them at once from failing on
 * each other, and locks tables that others are using. The lock ends with the transaction, so a pooler is safe.
 * @param last the table that `schema` makes last
 */
export async function makeTables(sql: Sql, last: string, schema: string): Promise<void> {
  if (await isThere(sql, last)) return;
  await sql.begin(async (transaction) => {
    await transaction`SELECT pg_advisory_xact_lock(${MAKING_TABLES})`;
    if (!(await isThere(transaction, last))) await transaction.unsafe(schema);
  });
}

/** Whether there is a table of this name, with its schema. */
export async function isThere(sql: Pick<Sql, 'unsafe'>, table: string): Promise<boolean> {
  const [row] = await sql.unsafe<{ made: string | null }[]>('SELECT to_regclass($1)::text AS made', [table]);
  return row !== undefined && row.made !== null;
}
