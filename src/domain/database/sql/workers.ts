import type { TaskName } from '../../queue/tasks.ts';
import type { SqlExecutor } from '../sql-executor.ts';

export interface NewWorker {
  id: string;
  host: string;
  pid: number;
  /** Owners of the locks of its jobs, one at least. */
  poolIds: readonly string[];
  /** null: all. */
  tasks: readonly TaskName[] | null;
  concurrency: number;
}

/**
 * Of a worker whose heart beats every few seconds; older beats are those of a dead one, also when no other worker is left
 * that could declare it dead.
 */
export const LIVES = `stopped_at is null and heartbeat_at > now() - interval '15 seconds'`;

/** Releases before `other_pool_ids` know the first two. */
export const POOLS = '(array[pool_id, build_pool_id] || other_pool_ids)';

export async function insertWorker(sql: SqlExecutor, worker: NewWorker): Promise<void> {
  await sql.query(
    `insert into workers (id, host, pid, pool_id, build_pool_id, other_pool_ids, tasks, concurrency)
     values ($1, $2, $3, ($4::text[])[1], ($4::text[])[2], ($4::text[])[3:], $5, $6)`,
    [worker.id, worker.host, worker.pid, worker.poolIds, worker.tasks, worker.concurrency],
  );
}

/**
 * A worker that was declared dead because it was silent for too long, on a machine that slept, lives again: the jobs that it
 * had then belong to others, those that it takes from here on are its own.
 */
export async function updateHeartbeat(
  sql: SqlExecutor,
  id: string,
  { metrics, poolIds }: { metrics: Record<string, number>; poolIds: readonly string[] },
): Promise<void> {
  await sql.query(
    `update workers set heartbeat_at = now(), stopped_at = null, metrics = $2::jsonb,
       pool_id = ($3::text[])[1], build_pool_id = ($3::text[])[2], other_pool_ids = ($3::text[])[3:]
     where id = $1`,
    [id, JSON.stringify(metrics), poolIds],
  );
}

/** It takes no more jobs. */
export async function markDraining(sql: SqlExecutor, id: string): Promise<void> {
  await sql.query('update workers set draining_at = now() where id = $1 and stopped_at is null', [id]);
}

export async function endWorker(sql: SqlExecutor, id: string): Promise<void> {
  await sql.query('update workers set stopped_at = now() where id = $1 and stopped_at is null', [id]);
}
