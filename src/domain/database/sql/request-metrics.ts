import type { ExactTime, RequestState } from '../../bundle-requests/bundle-request.ts';
import { visibilityParameters, visibleTo } from '../../bundle-requests/visibility.ts';
import type { Principal } from '../../identity/principal.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import { exactTime } from './bundle-request-rows.ts';

/** What is null or absent does not restrict; both times are inclusive. */
export interface MetricsFilter {
  finishedSince?: ExactTime | null | undefined;
  finishedUntil?: ExactTime | null | undefined;
  errorOrigin?: string | null | undefined;
  errorType?: string | null | undefined;
}

/** How long one request took; durations in seconds. */
export interface RequestMetrics {
  id: number;
  /** The state in which it ended; it may be stale by now. */
  finalState: RequestState;
  finalStateReason: string;
  finishedAtExact: ExactTime;
  /** From its first state to the final one. */
  duration: number;
  /** From its first state to the second one. */
  timeInQueue: number;
}

export interface MetricsSummary {
  durationAverage: number | null;
  duration50: number | null;
  duration95: number | null;
  timeInQueueAverage: number | null;
  timeInQueue95: number | null;
  clientErrors: number;
  serverErrors: number;
  total: number;
  complete: number;
  failed: number;
}

/** Newest first. */
export async function readRequestMetrics(
  sql: SqlExecutor,
  principal: Principal,
  filter: MetricsFilter,
  page: { offset: number; limit: number },
): Promise<{ items: RequestMetrics[]; total: number }> {
  const parameters = parametersOf(principal, filter);
  const [items, counted] = await Promise.all([
    sql.query<RequestMetrics>(
      `select id, state as "finalState", reason as "finalStateReason", ${exactTime('at')} as "finishedAtExact",
         duration, time_in_queue as "timeInQueue"
       from (${FINISHED}) f order by id desc offset $7 limit $8`,
      [...parameters, page.offset, page.limit],
    ),
    sql.query<{ total: number }>(`select count(*) as total from (${FINISHED}) f`, parameters),
  ]);
  return { items, total: counted[0]!.total };
}

export async function readMetricsSummary(
  sql: SqlExecutor,
  principal: Principal,
  filter: MetricsFilter,
): Promise<MetricsSummary> {
  const [row] = await sql.query<MetricsSummary>(
    `select avg(duration) as "durationAverage",
       percentile_cont(0.5) within group (order by duration) as "duration50",
       percentile_cont(0.95) within group (order by duration) as "duration95",
       avg(time_in_queue) as "timeInQueueAverage",
       percentile_cont(0.95) within group (order by time_in_queue) as "timeInQueue95",
       count(*) filter (where origin = 'client') as "clientErrors",
       count(*) filter (where origin = 'server') as "serverErrors",
       count(*) as total,
       count(*) filter (where state = 'complete') as complete,
       count(*) filter (where state <> 'complete') as failed
     from (${FINISHED}) f`,
    parametersOf(principal, filter),
  );
  return row!;
}

/** Requests that have ended, each with the entry of its history in which it did: what is stale later still counts. */
const FINISHED = `
  select r.id, ended.state, ended.reason, ended.at, r.error ->> 'errorOrigin' as origin,
    extract(epoch from ended.at - begun.times[1])::float8 as duration,
    extract(epoch from begun.times[2] - begun.times[1])::float8 as time_in_queue
  from bundle_requests r
  cross join lateral (
    select state, reason, at from bundle_request_states
    where request_id = r.id and state in ('complete', 'failed', 'cancelled') order by version desc limit 1
  ) ended
  cross join lateral (
    select array_agg(at order by version) as times
    from (select at, version from bundle_request_states where request_id = r.id order by version limit 2) first
  ) begun
  where r.state <> 'in_progress' and ${visibleTo('$1', '$2')}
    and ($3::timestamptz is null or (ended.at >= $3 and r.finished_at >= $3))
    and ($4::timestamptz is null or ended.at <= $4)
    and ($5::text is null or r.error ->> 'errorOrigin' = $5)
    and ($6::text is null or r.error ->> 'errorType' = $6)`;

function parametersOf(principal: Principal, filter: MetricsFilter): unknown[] {
  return [
    ...visibilityParameters(principal),
    filter.finishedSince ?? null,
    filter.finishedUntil ?? null,
    filter.errorOrigin ?? null,
    filter.errorType ?? null,
  ];
}
