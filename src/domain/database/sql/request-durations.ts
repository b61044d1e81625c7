import type { SqlExecutor } from '../sql-executor.ts';

export interface Durations {
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
): Promise<Durations[]> {
  return await sql.query<Durations>(
    `select state, width_bucket(seconds, $1::float8[]) as bucket, count(*) as count,
       coalesce(sum(seconds), 0) as seconds
     from (select state, extract(epoch from finished_at - created_at)::float8 as seconds from bundle_requests) r
     group by 1, 2`,
    [bounds],
  );
}

/** All builds of images by state and by how long they took, from when they waited last. */
export async function readBuildDurations(sql: SqlExecutor, bounds: readonly number[]): Promise<Durations[]> {
  return await sql.query<Durations>(
    `select state, width_bucket(seconds, $1::float8[]) as bucket, count(*) as count,
       coalesce(sum(seconds), 0) as seconds
     from (select state, extract(epoch from finished_at - queued_at)::float8 as seconds from image_builds) b
     group by 1, 2`,
    [bounds],
  );
}
