import type { SqlExecutor } from '../sql-executor.ts';

/** A job that is locked, and the attempt for which it is. */
export interface LockedJob {
  id: number;
  attempts: number;
  /** The pool that owns the lock. */
  poolId: string;
}

export async function findJobsOfPools(sql: SqlExecutor, poolIds: readonly string[]): Promise<LockedJob[]> {
  return await sql.query<LockedJob>(
    'select id, attempts, locked_by as "poolId" from graphile_worker.jobs where locked_by = any($1::text[])',
    [poolIds],
  );
}

/** The next free worker takes them, unless they are locked for another attempt by now. */
export async function unlockJobs(
  sql: SqlExecutor,
  poolIds: readonly string[],
  jobs: readonly LockedJob[],
): Promise<void> {
  await sql.query(
    `update graphile_worker._private_jobs j
     set locked_at = null, locked_by = null, run_at = greatest(j.run_at, now())
     from unnest($2::bigint[], $3::int[]) as lost (id, attempts)
     where j.id = lost.id and j.attempts = lost.attempts and j.locked_by = any($1::text[])`,
    [poolIds, jobs.map(({ id }) => id), jobs.map(({ attempts }) => attempts)],
  );
}
