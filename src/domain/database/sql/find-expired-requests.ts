import type { SqlExecutor } from '../sql-executor.ts';

/** Seconds since the last change after which requests are expired; null: never. */
export interface RequestLifetimes {
  requestLifetime: number;
  requestLifetimeFailed: number;
  nativeRequestLifetime: number | null;
}

/** Native requests in progress have a time limit of their own (`requestSeconds`). */
const IS_EXPIRED = `
  r.state <> 'stale' and r.updated_at < now() - make_interval(secs => case
    when r.rules = 'native' and r.state <> 'in_progress' then $1::float8
    when r.rules = 'cachito' and r.state in ('complete', 'in_progress') then $2::float8
    when r.rules = 'cachito' then $3::float8
  end)`;

/** Ids of requests after `afterId` that are expired, in their order. */
export async function findExpiredRequests(
  sql: SqlExecutor,
  lifetimes: RequestLifetimes,
  afterId: number,
  limit: number,
): Promise<number[]> {
  const rows = await sql.query<{ id: number }>(
    `select r.id from bundle_requests r where ${IS_EXPIRED} and r.id > $4 order by r.id limit $5`,
    [...parametersOf(lifetimes), afterId, limit],
  );
  return rows.map((row) => row.id);
}

export async function isExpired(
  sql: SqlExecutor,
  lifetimes: RequestLifetimes,
  requestId: number,
): Promise<boolean> {
  const rows = await sql.query(`select from bundle_requests r where ${IS_EXPIRED} and r.id = $4`, [
    ...parametersOf(lifetimes),
    requestId,
  ]);
  return rows.length > 0;
}

function parametersOf(lifetimes: RequestLifetimes): unknown[] {
  return [lifetimes.nativeRequestLifetime, lifetimes.requestLifetime, lifetimes.requestLifetimeFailed];
}
