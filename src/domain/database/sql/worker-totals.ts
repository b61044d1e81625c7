import type { SqlExecutor } from '../sql-executor.ts';
import { LIVES } from './workers.ts';

export interface WorkerTotals {
  /** Workers alive and how many jobs they take at a time. */
  workers: number;
  slots: number;
  /** Counters of all workers that ever were, by name with labels (see src/workers/worker-metrics.ts). */
  counters: Record<string, number>;
}

/** One statement: what a worker did that stopped still counts, also when it is forgotten. */
export async function readWorkerTotals(sql: SqlExecutor): Promise<WorkerTotals> {
  const [row] = await sql.query<WorkerTotals>(
    `select count(*) filter (where ${LIVES}) as workers,
       coalesce(sum(concurrency) filter (where ${LIVES}), 0)::float8 as slots,
       (select coalesce(jsonb_object_agg(name, total), '{}') from (
          select name, sum(value) as total from (
            select name, value::float8
            from workers w, jsonb_each(w.metrics) as metric (name, value)
            where jsonb_typeof(value) = 'number'
            union all
            select name, value from worker_history
          ) as counted group by name
        ) as totals) as counters
     from workers`,
  );
  return row!;
}
