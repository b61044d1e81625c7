import type { SqlExecutor } from '../sql-executor.ts';

export interface RequestDurations {
  state: string;
  /** How many of the bounds are not above the duration; null: not finished. */
  bucket: number | null;
  count: number;
  /** Seconds from submission to the end, of all of them together. */
  seconds: number;
}

/** All requests by state and by how long they took. */
export async function readRequestDurations(
  sql: SqlExecutor,
  bounds: readonly number[],
): Promise<RequestDurations[]> {
  return await sql.query<RequestDurations>(
    `select state, width_bucket(seconds, $1::float8[]) as bucket, count(*) as count,
       coalesce(sum(seconds), 0) as seconds
     from (select state, extract(epoch from finished_at - created_at)::float8 as seconds from bundle_requests) r
     group by 1, 2`,
    [bounds],
  );
}
