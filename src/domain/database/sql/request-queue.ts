import type { SqlExecutor } from '../sql-executor.ts';

/** The order in which the requests of a share get their turn. */
const ORDER = 'priority, queued_at, request_id';
/** Priority of requests that can wait, see src/domain/bundle-requests/request-queue.ts. */
const LOW = 1;

export interface QueueEntry {
  requestId: number;
  share: string;
  /** Lower is sooner. */
  priority: number;
  places: number;
}

/** One at a time gives away the places of a share. Nobody waits for a request's row while it holds this. */
export async function lockShare(sql: SqlExecutor, share: string): Promise<void> {
  await sql.query(`select pg_advisory_xact_lock(hashtextextended('request-queue:' || $1, 0))`, [share]);
}

/** Requests of a share that wait or run. */
export async function countQueued(sql: SqlExecutor, share: string): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    'select count(*) as count from request_queue where share = $1',
    [share],
  );
  return row!.count;
}

export async function insertQueueEntry(sql: SqlExecutor, entry: QueueEntry): Promise<void> {
  await sql.query(
    `insert into request_queue (request_id, share, priority, places) values ($1, $2, $3, $4)
     on conflict (request_id) do update set share = $2, priority = $3, places = $4, queued_at = clock_timestamp(),
       is_admitted = false`,
    [entry.requestId, entry.share, entry.priority, entry.places],
  );
}

/** Gives the share that the request took part in; null: it came from a release that knew of none. */
export async function deleteQueueEntry(sql: SqlExecutor, requestId: number): Promise<string | null> {
  const [row] = await sql.query<{ share: string }>(
    'delete from request_queue where request_id = $1 returning share',
    [requestId],
  );
  return row?.share ?? null;
}

/**
 * Marks the requests that have waited the longest for as many places as are free. Under {@link lockShare}. Those that
 * somebody else holds just now are passed over; {@link findStalledShares} finds what is left over by that.
 */
export async function admitWaiting(sql: SqlExecutor, share: string): Promise<number[]> {
  const rows = await sql.query<{ id: number }>(
    `with admitted as (
       select q.request_id from request_queue q join bundle_requests r on r.id = q.request_id
       where q.share = $1 and not q.is_admitted
       order by q.priority, q.queued_at, q.request_id
       limit greatest(0, coalesce((
         select places from request_queue where share = $1 and not is_admitted order by ${ORDER} limit 1
       ), 0) - (select count(*) from request_queue where share = $1 and is_admitted))
       for no key update skip locked
     )
     update request_queue q set is_admitted = true from admitted
     where q.request_id = admitted.request_id returning q.request_id as id`,
    [share],
  );
  return rows.map(({ id }) => id);
}

/**
 * Priority of the jobs of a request by its place in its share: the first of each share come before all others, then the
 * second and third, then the next four, and so on. Requests that can wait come after those of everybody else.
 */
const LEVEL = `(floor(log(2, ranked.rank) + 0.000001) + case ranked.priority when ${LOW} then 16 else 0 end)::integer`;
const RANKED = `ranked as (
  select request_id, priority, row_number() over (order by ${ORDER}) as rank
  from request_queue where share = $1 and is_admitted
)`;

export interface QueuedStep {
  requestId: number;
  stepId: number;
  requestAttempt: number;
  task: 'fetch-source' | 'resolve-packages' | 'assemble-bundle';
  /** Of a native request, under whose rules only some workers take a path. */
  repository: string | null;
  traceparent: string | null;
  jobPriority: number;
}

/**
 * Steps that are queued, of requests of a share that have a place, with the priority that their jobs should have. Requests
 * of an older release have none, and jobs nevertheless.
 */
export async function findQueuedSteps(
  sql: SqlExecutor,
  share: string,
  requestIds: readonly number[],
): Promise<QueuedStep[]> {
  return await sql.query<QueuedStep>(
    `with ${RANKED}
     select s.request_id as "requestId", s.id as "stepId", r.attempt as "requestAttempt", s.task,
       case r.rules when 'native' then r.repository end as repository, r.trace_parent as traceparent,
       coalesce(${LEVEL}, 0) as "jobPriority"
     from bundle_requests r join bundle_request_steps s on s.request_id = r.id
     left join ranked on ranked.request_id = r.id left join request_queue q on q.request_id = r.id
     where r.id = any($2::bigint[]) and s.state = 'queued' and q.is_admitted is not false order by rank, s.id`,
    [share, requestIds],
  );
}

/** Brings waiting jobs to the places that their requests have by now. Jobs that begin just now are passed over. */
export async function moveUpJobs(sql: SqlExecutor, share: string): Promise<void> {
  await sql.query(
    `with ${RANKED}, due as (
       select j.id, ${LEVEL} as level
       from ranked join bundle_request_steps s on s.request_id = ranked.request_id and s.state = 'queued'
       join graphile_worker._private_jobs j on j.key = 'step:' || s.id
       where j.locked_at is null and j.priority > ${LEVEL}
       for no key update of j skip locked
     )
     update graphile_worker._private_jobs j set priority = due.level from due where j.id = due.id`,
    [share],
  );
}

export async function findShare(sql: SqlExecutor, requestId: number): Promise<string | null> {
  const [row] = await sql.query<{ share: string }>('select share from request_queue where request_id = $1', [
    requestId,
  ]);
  return row?.share ?? null;
}

/** Removes what a process of an older release has left, which knows nothing of this queue. */
export async function deleteEndedEntries(sql: SqlExecutor): Promise<void> {
  await sql.query(
    `delete from request_queue where request_id in (
       select q.request_id from request_queue q join bundle_requests r on r.id = q.request_id
       where r.state <> 'in_progress' for no key update of r skip locked
     )`,
  );
}

/** Shares in which requests wait although places are free. */
export async function findStalledShares(sql: SqlExecutor): Promise<string[]> {
  const rows = await sql.query<{ share: string }>(
    `select share from request_queue group by share
     having count(*) filter (where not is_admitted) > 0
       and count(*) filter (where is_admitted) < max(places) filter (where not is_admitted)`,
  );
  return rows.map(({ share }) => share);
}
