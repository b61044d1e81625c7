import type { SqlExecutor } from '../sql-executor.ts';

/**
 * `waiting`: of a request that has no place yet. `ready`: may start now. `scheduled`: later, or again after a failure.
 * `failed`: never again.
 */
export const JOB_STATES = ['waiting', 'ready', 'scheduled', 'running', 'failed'] as const;
type JobState = (typeof JOB_STATES)[number];

export interface QueueStatistics {
  task: string;
  state: JobState;
  count: number;
  /** Seconds since the oldest of them could have run. */
  age: number;
}

/** Jobs that are not done, by task and state. */
export async function readQueueStatistics(sql: SqlExecutor): Promise<QueueStatistics[]> {
  return await sql.query<QueueStatistics>(
    `select task_identifier as task,
       case when locked_at is not null then 'running' when attempts >= max_attempts then 'failed'
         when run_at > now() then 'scheduled' else 'ready' end as state,
       count(*) as count, greatest(0, extract(epoch from now() - min(run_at)))::float8 as age
     from graphile_worker.jobs group by 1, 2
     union all
     select 'fetch-source', 'waiting', count(*), greatest(0, extract(epoch from now() - min(queued_at)))::float8
     from request_queue where not is_admitted having count(*) > 0`,
  );
}
