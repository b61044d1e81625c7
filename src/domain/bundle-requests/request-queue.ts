import type { Settings } from '../config.ts';
import type { Database } from '../database/database.ts';
import { addJob, LOCAL_SOURCE_JOB } from '../database/sql/add-job.ts';
import {
  admitWaiting,
  countQueued,
  deleteEndedEntries,
  deleteQueueEntry,
  findQueuedSteps,
  findShare,
  findStalledShares,
  insertQueueEntry,
  lockShare,
  moveUpJobs,
  type QueuedStep,
} from '../database/sql/request-queue.ts';
import type { SqlExecutor } from '../database/sql-executor.ts';
import { TooManyRequestsError } from '../errors.ts';
import type { PackageManager } from '../packages/package.ts';
import { isLocalRepository } from '../sources/local-repository.ts';
import type { BundleRequest, NewRequest, RequestPriority, StepTask } from './bundle-request.ts';

/**
 * Who gets the next free worker. Requests share the workers by project, or by user outside of projects: so many of a
 * share have places, and with them jobs; the others wait without. The jobs of the first request of every share come before
 * those of the second ones, and so on (see `LEVEL` of the SQL): whoever has a thousand requests waiting delays the first of
 * somebody else by about one job. A request's own priority counts within its share, but low ones yield to everybody.
 *
 *   submitted, retried → waiting ──► admitted ──► over
 */
export type QueueSettings = Pick<Settings, 'projectRequestConcurrency' | 'projectRequestLimit'>;

const RANKS: Record<RequestPriority, number> = { high: -1, normal: 0, low: 1 };

/** A request that begins to wait; its steps are queued already. Throws TooManyRequestsError. */
export async function enterQueue(
  sql: SqlExecutor,
  settings: QueueSettings,
  request: Pick<BundleRequest, 'id'> & Pick<NewRequest, 'projectId' | 'userId' | 'priority'>,
): Promise<void> {
  const share = shareOf(request);
  await lockShare(sql, share);
  await requireRoom(sql, settings, share);
  await insertQueueEntry(sql, {
    requestId: request.id,
    share,
    priority: RANKS[request.priority],
    places: settings.projectRequestConcurrency,
  });
  await admit(sql, share);
}

/** A request that is over, under its row's lock; nothing else may be locked in this transaction afterwards. */
export async function leaveQueue(sql: SqlExecutor, requestId: number): Promise<void> {
  const share = await deleteQueueEntry(sql, requestId);
  if (share === null) return;
  await lockShare(sql, share);
  await admit(sql, share);
  await moveUpJobs(sql, share);
}

/** Marks a step of a request; its job comes with {@link addStepJobs}, or when the request has a place. */
export async function markQueued(
  sql: SqlExecutor,
  requestId: number,
  task: StepTask,
  packageManager: PackageManager | null,
): Promise<void> {
  await sql.query(
    `update bundle_request_steps set state = 'queued', queued_at = clock_timestamp()
     where request_id = $1 and task = $2 and package_manager is not distinct from $3`,
    [requestId, task, packageManager],
  );
}

/** Adds the jobs of the steps that are queued (or of one of them), of a request that has a place. */
export async function addStepJobs(
  sql: SqlExecutor,
  request: Pick<BundleRequest, 'id' | 'projectId' | 'userId'>,
  stepId: number | null = null,
): Promise<void> {
  // A request of an older release joins in where it is.
  const share = (await findShare(sql, request.id)) ?? shareOf(request);
  const steps = await findQueuedSteps(sql, share, [request.id]);
  for (const step of steps) if (stepId === null || step.stepId === stepId) await addStepJob(sql, step);
}

/** What a lost notice or a process of an older release has left over. */
export async function tidyQueue(database: Database): Promise<void> {
  await deleteEndedEntries(database.sql);
  for (const share of await findStalledShares(database.sql)) {
    await database.transaction(async ({ sql }) => {
      await lockShare(sql, share);
      await admit(sql, share);
    });
  }
}

async function addStepJob(sql: SqlExecutor, step: QueuedStep): Promise<void> {
  const { requestId, stepId, requestAttempt, task, repository, traceparent, jobPriority } = step;
  const isLocal = repository !== null && isLocalRepository(repository);
  await addJob(
    sql,
    task,
    { requestId, stepId, requestAttempt },
    {
      key: `step:${stepId}`,
      priority: jobPriority,
      traceparent,
      ...(isLocal && { flags: [LOCAL_SOURCE_JOB] }),
    },
  );
}

async function admit(sql: SqlExecutor, share: string): Promise<void> {
  const admitted = await admitWaiting(sql, share);
  if (admitted.length === 0) return;
  for (const step of await findQueuedSteps(sql, share, admitted)) await addStepJob(sql, step);
}

async function requireRoom(
  sql: SqlExecutor,
  { projectRequestLimit }: QueueSettings,
  share: string,
): Promise<void> {
  const queued = await countQueued(sql, share);
  if (queued < projectRequestLimit) return;
  throw new TooManyRequestsError(
    `${queued} requests of ${share.startsWith('project:') ? 'this project' : 'this user'} wait or run already`,
    { hint: 'Submit again when some of them are over.', details: { queued, limit: projectRequestLimit } },
  );
}

function shareOf({ projectId, userId }: Pick<NewRequest, 'projectId' | 'userId'>): string {
  if (projectId !== null) return `project:${projectId}`;
  return userId === null ? 'nobody' : `user:${userId}`;
}
