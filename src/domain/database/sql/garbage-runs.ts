import { CHANNEL } from '../../events/event.ts';
import type { Garbage } from '../../garbage/garbage.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import { type IdRange, idPage, idRangeParameters } from './id-range.ts';

export interface GarbageRun {
  id: number;
  state: 'running' | 'complete' | 'failed';
  removed: Garbage;
  error: string | null;
  startedAt: Date;
  finishedAt: Date | null;
}

/** A run that does not say for so long that it lives does not. */
const LEASE = '2 minutes';

/** The id of a new run; null: another one is under way. One that is dead ends as failed. */
export async function startGarbageRun(sql: SqlExecutor): Promise<number | null> {
  await sql.query(
    `update garbage_runs set state = 'failed', error = 'its process has ended', finished_at = clock_timestamp()
     where state = 'running' and renewed_at < clock_timestamp() - interval '${LEASE}'`,
  );
  const [row] = await sql.query<{ id: number }>(
    `insert into garbage_runs default values on conflict ((true)) where state = 'running' do nothing returning id`,
  );
  return row?.id ?? null;
}

/** Writes down how far it is, and tells subscribers. False: the run was taken for dead, and must end. */
export async function renewGarbageRun(sql: SqlExecutor, id: number, removed: Garbage): Promise<boolean> {
  return await change(sql, { id, state: 'running', removed, error: null });
}

export async function finishGarbageRun(
  sql: SqlExecutor,
  finished: { id: number; removed: Garbage; error: string | null },
): Promise<void> {
  await change(sql, { ...finished, state: finished.error === null ? 'complete' : 'failed' });
}

async function change(
  sql: SqlExecutor,
  run: { id: number; state: GarbageRun['state']; removed: Garbage; error: string | null },
): Promise<boolean> {
  const rows = await sql.query(
    `with run as (
       update garbage_runs set state = $2, removed = $3::jsonb, error = $4, version = version + 1,
         renewed_at = clock_timestamp(), finished_at = case when $2 = 'running' then null else clock_timestamp() end
       where id = $1 and state = 'running' returning id, version
     ), recorded as (
       insert into events (subject_type, subject_id, version, type, data)
       select 'garbage-run', id, version, $2, $3::jsonb from run
     )
     select pg_notify('${CHANNEL}', 'garbage-run:' || id) from run`,
    [run.id, run.state, JSON.stringify(run.removed), run.error],
  );
  return rows.length > 0;
}

/** Seconds since a collection was last complete; null: none was yet. */
export async function readGarbageAge(sql: SqlExecutor): Promise<number | null> {
  const [row] = await sql.query<{ age: number | null }>(
    `select greatest(0, extract(epoch from clock_timestamp() - finished_at))::float8 as age from garbage_runs
     where state = 'complete' order by started_at desc limit 1`,
  );
  return row?.age ?? null;
}

/** The latest first. */
export async function listGarbageRuns(sql: SqlExecutor, range: IdRange): Promise<GarbageRun[]> {
  return await sql.query(
    `select id, state, removed, error, started_at as "startedAt", finished_at as "finishedAt" from garbage_runs
     where ${idPage('id', 1, { order: 'desc', inverted: range.inverted })}`,
    idRangeParameters(range),
  );
}

/** Runs that removed nothing are of no interest for long, the others for a year. */
export async function forgetGarbageRuns(sql: SqlExecutor): Promise<void> {
  await sql.query(
    `with forgotten as (
       delete from garbage_runs
       where state <> 'running' and started_at < now() - interval '1 year'
         or state = 'complete' and removed = '{}' and started_at < now() - interval '1 day'
       returning id
     )
     delete from events where subject_type = 'garbage-run' and subject_id in (select id from forgotten)`,
  );
}
