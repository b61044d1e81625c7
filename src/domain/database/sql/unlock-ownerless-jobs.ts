import type { SqlExecutor } from '../sql-executor.ts';
import { POOLS } from './workers.ts';

/** Jobs locked by a pool that no living worker has: it died before its first heartbeat. */
export async function unlockOwnerlessJobs(sql: SqlExecutor, afterSeconds: number): Promise<void> {
  await sql.query(
    `select graphile_worker.force_unlock_workers(array_agg(distinct locked_by))
     from graphile_worker.jobs
     where locked_by is not null and locked_at < now() - make_interval(secs => $1)
       and locked_by not in (
         select pool from workers, unnest(${POOLS}) as one (pool)
         where stopped_at is null and pool is not null
       )
     having count(*) > 0`,
    [afterSeconds],
  );
}
