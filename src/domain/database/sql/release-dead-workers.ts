import type { SqlExecutor } from '../sql-executor.ts';
import { POOLS } from './workers.ts';

export interface DeadWorker {
  id: string;
  host: string;
  pid: number;
}

/** Workers that should be alive, for a look at the processes of this host. */
export async function findWorkersOfHost(sql: SqlExecutor, host: string): Promise<DeadWorker[]> {
  return await sql.query<DeadWorker>(
    'select id, host, pid from workers where host = $1 and stopped_at is null',
    [host],
  );
}

/** Those that there are or have been, by their ids. */
export async function findWorkers(
  sql: SqlExecutor,
  ids: readonly string[],
): Promise<(DeadWorker & { heartbeatAt: Date })[]> {
  return await sql.query(
    'select id, host, pid, heartbeat_at as "heartbeatAt" from workers where id = any($1::uuid[])',
    [ids],
  );
}

/**
 * Declares workers dead whose heart stopped so many seconds ago (null: silence says nothing now), or whose process is known
 * to be gone, and unlocks their jobs: the next free worker takes them at once. It need not wait for what they were fetching
 * either: their claims, whose holders begin with host and process, are given up.
 */
export async function releaseDeadWorkers(
  sql: SqlExecutor,
  { silentSeconds, known, alive }: { silentSeconds: number | null; known: readonly string[]; alive: string },
): Promise<DeadWorker[]> {
  return await sql.query<DeadWorker>(
    `with dead as (
       update workers set stopped_at = now()
       where stopped_at is null and id <> $3
         and (heartbeat_at < now() - make_interval(secs => $1) or id = any($2::uuid[]))
       returning id, host, pid, pool_id, build_pool_id, other_pool_ids
     ), unlocked as (
       select graphile_worker.force_unlock_workers(array_agg(pool)) from dead,
         unnest(${POOLS}) as one (pool)
       having count(*) > 0
     ), released as (
       delete from artifact_claims where key in (
         select c.key from artifact_claims c
         join dead on starts_with(c.claimed_by, format('%s:%s:', dead.host, dead.pid))
         order by c.key for update of c
       )
     )
     select dead.id, dead.host, dead.pid from dead left join unlocked on true`,
    [silentSeconds, known, alive],
  );
}
