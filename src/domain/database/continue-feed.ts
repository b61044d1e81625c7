import type { SqlExecutor } from './sql-executor.ts';

/** More than any cursor is ahead that somebody has got after the backup was made from which the database came. */
const GAP = 2 ** 32;

/**
 * In another cluster ids of transactions begin anew: events to come would stand before those that a database brought along,
 * and nobody would see them. Sees to it that they come after all of them, and after what was lost. Does nothing elsewhere.
 */
export async function continueFeed(sql: SqlExecutor): Promise<void> {
  const [row] = await sql.query<{ newest: string; next: string; offset: string }>(
    `select coalesce((select txid from events order by txid desc limit 1), '0')::text as newest,
       feed_txid(pg_current_xact_id())::text as next, feed_offset()::text as offset`,
  );
  const { newest, next, offset } = row!;
  if (BigInt(newest) <= BigInt(next)) return;
  const added = BigInt(newest) - (BigInt(next) - BigInt(offset)) + BigInt(GAP);
  await sql.query(
    `create or replace function feed_offset() returns bigint language sql stable as 'select ${added}::bigint'`,
  );
}
