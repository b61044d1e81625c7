import type { SqlExecutor } from '../sql-executor.ts';

/** Condition on `audit_log a`: an entry from before `$1`, whose ending, if it has one, is too. */
const FORGETTABLE = `a.attempt_id is null and a.at < $1
  and not exists (select from audit_log r where r.attempt_id = a.id and r.at >= $1)`;

/** Deletes the oldest entries; how many. In a transaction: a trigger refuses everybody else, and within 30 days us, too. */
export async function forgetAuditEntries(sql: SqlExecutor, before: Date, limit: number): Promise<number> {
  await sql.query(`select set_config('stowage.retention', 'on', true)`);
  const [row] = await sql.query<{ count: number }>(
    `with doomed as (
       select a.id from audit_log a where ${FORGETTABLE} order by a.at limit $2
     ), gone as (
       delete from audit_log where id in (select id from doomed) or attempt_id in (select id from doomed)
       returning attempt_id
     )
     select count(*) from gone where attempt_id is null`,
    [before, limit],
  );
  await sql.query(`select set_config('stowage.retention', 'off', true)`);
  return row!.count;
}

export async function countForgettableAuditEntries(sql: SqlExecutor, before: Date): Promise<number> {
  const [row] = await sql.query<{ count: number }>(`select count(*) from audit_log a where ${FORGETTABLE}`, [
    before,
  ]);
  return row!.count;
}
