import type { SqlExecutor } from '../sql-executor.ts';

const RULE = 'events';

/**
 * Looks at the next events, in the order of the feed, that are older than a time: of each subject the newest one of each
 * type among them stays, so that whoever resumes from before is told how things are now, and then goes on. How many were
 * looked at and removed; nothing when somebody else is at it.
 */
export async function thinOutEvents(
  sql: SqlExecutor,
  before: Date,
  limit: number,
): Promise<{ seen: number; removed: number }> {
  await sql.query(
    `insert into retention_positions (rule, txid, position) values ('${RULE}', '0', 0) on conflict do nothing`,
  );
  const [held] = await sql.query<{ txid: string; position: string }>(
    `select txid::text, position::text from retention_positions where rule = '${RULE}' for update skip locked`,
  );
  if (!held) return { seen: 0, removed: 0 };
  const [row] = await sql.query<{ seen: number; removed: number }>(
    `with page as materialized (
       select txid, position, subject_type, subject_id, version, type, at from events
       where (txid, position) > ($1::xid8, $2::bigint) and txid < feed_txid(pg_snapshot_xmin(pg_current_snapshot()))
       order by txid, position limit $4
     ), young as materialized (
       select txid, position from page where at >= $3 order by txid, position limit 1
     ), old as materialized (
       -- Up to the first one that is young: clocks and long transactions may mix them a little.
       select * from page p
       where not exists (select from young y where (y.txid, y.position) <= (p.txid, p.position))
     ), moved as (
       update retention_positions p set txid = last.txid, position = last.position
       from (select txid, position from old order by txid desc, position desc limit 1) last
       where p.rule = '${RULE}'
     ), newest as (
       select subject_type, subject_id, type, max(version) as version from old group by 1, 2, 3
     ), removed as (
       delete from events e using newest n
       where e.subject_type = n.subject_type and e.subject_id = n.subject_id and e.type = n.type
         and e.version < n.version
       returning 1
     )
     select (select count(*) from old) as seen, (select count(*) from removed) as removed`,
    [held.txid, held.position, before, limit],
  );
  return row!;
}

/** How many would be removed, by all runs until nothing is left to do. */
export async function countThinnedOutEvents(sql: SqlExecutor, before: Date): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `with start as (
       select txid, position from retention_positions where rule = '${RULE}'
       union all
       select '0'::xid8, 0 where not exists (select from retention_positions where rule = '${RULE}')
     ), unseen as (
       select e.subject_type, e.subject_id, e.type, count(*) as count, min(e.version) as first
       from start, events e where (e.txid, e.position) > (start.txid, start.position) and e.at < $1 group by 1, 2, 3
     )
     select coalesce(sum(n.count - 1 + (
       select count(*) from events e where e.subject_type = n.subject_type and e.subject_id = n.subject_id
         and e.type = n.type and e.version < n.first
     )), 0)::bigint as count
     from unseen n`,
    [before],
  );
  return row!.count;
}
