import type { SqlExecutor } from '../sql-executor.ts';

/**
 * Empties the logs that were closed first, before a time; how many. Who reads one finds it closed and without lines; the
 * compacted ones are what the garbage collection looks for.
 */
export async function forgetLogs(sql: SqlExecutor, before: Date, limit: number): Promise<number> {
  await dateClosedLogs(sql, limit);
  const [row] = await sql.query<{ count: number }>(
    `with emptied as (
       update log_streams set lines = 0, compacted_lines = 0, digest = null, closed_at = 'infinity'
       where id in (
         select id from log_streams where closed_at < $1 order by closed_at limit $2 for update skip locked
       )
       returning id
     ), page as (
       delete from log_pages where stream_id in (select id from emptied)
     )
     select count(*) from emptied`,
    [before, limit],
  );
  return row!.count;
}

export async function countForgettableLogs(sql: SqlExecutor, before: Date): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    'select count(*) from log_streams where closed_at < $1 and lines > 0',
    [before],
  );
  return row!.count;
}

/** Those that a process of an older release has closed. */
async function dateClosedLogs(sql: SqlExecutor, limit: number): Promise<void> {
  await sql.query(
    `update log_streams set closed_at = case when lines = 0 then 'infinity'::timestamptz else now() end
     where id in (
       select id from log_streams where closed and closed_at is null order by id limit $1 for update skip locked
     )`,
    [limit],
  );
}
