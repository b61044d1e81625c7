import type { SqlExecutor } from '../sql-executor.ts';

/** Deletes workers that stopped a month ago, and keeps what they have counted; how many. */
export async function forgetWorkers(sql: SqlExecutor): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `with gone as (
       delete from workers where stopped_at < now() - interval '30 days' returning metrics
     ), kept as (
       insert into worker_history as h (name, value)
       select name, sum(value::float8) from gone, jsonb_each(metrics) as metric (name, value)
       where jsonb_typeof(value) = 'number' group by name order by name
       on conflict (name) do update set value = h.value + excluded.value
     )
     select count(*) from gone`,
  );
  return row!.count;
}
