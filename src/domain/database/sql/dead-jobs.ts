import type { TaskName } from '../../queue/tasks.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import { type IdRange, idPage, idRangeParameters } from './id-range.ts';

/** A job that no worker takes any more: it failed, or ended its worker, as often as it may. */
export interface DeadJob {
  id: number;
  task: TaskName;
  attempts: number;
  /** null: it never failed, its workers died. */
  lastError: string | null;
  createdAt: Date;
  /** What it was for, if that is there still. */
  requestId: number | null;
  packageManager: string | null;
  buildId: number | null;
}

const DEAD = 'j.attempts >= j.max_attempts and j.locked_at is null and j.key is not null';

/** The newest first. */
export async function listDeadJobs(sql: SqlExecutor, range: IdRange): Promise<DeadJob[]> {
  return await sql.query<DeadJob>(
    `${SELECT} where ${DEAD} and ${idPage('j.id', 1, { order: 'desc', inverted: range.inverted })}`,
    idRangeParameters(range),
  );
}

export async function findDeadJob(sql: SqlExecutor, id: number): Promise<DeadJob | null> {
  const [job] = await sql.query<DeadJob>(`${SELECT} where ${DEAD} and j.id = $1`, [id]);
  return job ?? null;
}

const SELECT = `
  select j.id, j.task_identifier as task, j.attempts, j.last_error as "lastError", j.created_at as "createdAt",
    s.request_id as "requestId", s.package_manager as "packageManager", b.id as "buildId"
  from graphile_worker.jobs j
  left join bundle_request_steps s on j.key = 'step:' || s.id
  left join image_builds b on j.key = 'build:' || b.id`;

/** It runs again at once, with all its attempts. */
export async function reviveJob(sql: SqlExecutor, id: number): Promise<void> {
  await sql.query(
    'select id from graphile_worker.reschedule_jobs(array[$1::bigint], run_at := now(), attempts := 0)',
    [id],
  );
}

/** One that was added anew meanwhile under the same number stays. */
export async function deleteDeadJob(sql: SqlExecutor, id: number): Promise<void> {
  await sql.query(
    `select graphile_worker.complete_jobs(array[j.id]) from graphile_worker.jobs j where ${DEAD} and j.id = $1`,
    [id],
  );
}

/** Those whose last attempt was to be before a time, the oldest first; how many. */
export async function deleteOldDeadJobs(sql: SqlExecutor, before: Date, limit: number): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `with doomed as (
       select j.id from graphile_worker.jobs j where ${DEAD} and j.run_at < $1 order by j.run_at limit $2
     )
     select count(*) from doomed, graphile_worker.complete_jobs(array[doomed.id])`,
    [before, limit],
  );
  return row!.count;
}

export async function countOldDeadJobs(sql: SqlExecutor, before: Date): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `select count(*) from graphile_worker.jobs j where ${DEAD} and j.run_at < $1`,
    [before],
  );
  return row!.count;
}

/** Jobs that were added anew while a worker had them, which then died: the new ones do the work. */
export async function deleteReplacedJobs(sql: SqlExecutor): Promise<void> {
  await sql.query(
    `select graphile_worker.complete_jobs(array_agg(id)) from graphile_worker.jobs
     where key is null and attempts >= max_attempts and locked_at is null having count(*) > 0`,
  );
}
