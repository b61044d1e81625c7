import type { Database, Transaction } from '../database/database.ts';
import { addJob, type StepPayload } from '../database/sql/add-job.ts';
import { findSteps, lockRequest } from '../database/sql/bundle-request-rows.ts';
import { closeLog } from '../database/sql/close-log.ts';
import { recordBlobs } from '../database/sql/record-blobs.ts';
import { recordRequestEvent } from '../database/sql/record-request-event.ts';
import { DomainError, RequestFailure } from '../errors.ts';
import { LeaseLostError } from '../lease-lost.ts';
import type { StoredBlob } from '../storage/blob-store.ts';
import type { BundleRequest, BundleRequestStep, RequestError, StepCounters } from './bundle-request.ts';
import { changeState } from './change-state.ts';
import { addStepJobs, leaveQueue } from './request-queue.ts';
import { dueReasons, FETCHING_SOURCE } from './state-reasons.ts';

/**
 * How a worker takes a step, reports on it and ends it. Everything is fenced by the step's `attempt`: a worker that lost
 * the step (killed, cut off, too slow) changes nothing any more.
 */
export interface StepLease {
  request: BundleRequest;
  step: BundleRequestStep;
}

/** Takes the step for a worker; null when there is nothing to do any more. */
export async function takeStep(
  database: Database,
  payload: StepPayload,
  workerId: string,
): Promise<StepLease | null> {
  return await database.transaction(async ({ sql }) => {
    const request = await lockRequest(sql, payload.requestId);
    if (request.state !== 'in_progress' || request.attempt !== payload.requestAttempt) return null;
    const taken = await sql.query(
      `update bundle_request_steps
       set state = 'running', attempt = attempt + 1, worker_id = $2, started_at = clock_timestamp(), progress = '{}'
       where id = $1 and state in ('queued', 'running') returning id`,
      [payload.stepId, workerId],
    );
    if (taken.length === 0) return null;
    const steps = await findSteps(sql, request.id);
    const step = await announceStep(sql, steps, payload.stepId);
    await recordReasons(sql, request, steps);
    return { request, step };
  });
}

/**
 * Ends a step with success: `work` runs in the same transaction, under the request's row lock, and names what the step
 * made; `blobs` must be durable in the store. Throws LeaseLostError.
 */
export async function finishStep(
  database: Database,
  lease: StepLease,
  blobs: readonly StoredBlob[],
  work: (tx: Transaction, request: BundleRequest, steps: readonly BundleRequestStep[]) => Promise<void>,
): Promise<void> {
  await database.transaction(async (tx) => {
    const request = await lockLeased(tx, lease);
    // Not in this transaction, for which other steps with the same blobs would have to wait; and not before it: a step
    // that was cancelled leaves no rows that only the garbage collection would find.
    await recordBlobs(database.sql, blobs);
    await tx.sql.query(
      `update bundle_request_steps set state = 'succeeded', finished_at = clock_timestamp(), worker_id = null
       where id = $1`,
      [lease.step.id],
    );
    const steps = await findSteps(tx.sql, request.id);
    await announceStep(tx.sql, steps, lease.step.id);
    await recordReasons(tx.sql, request, steps);
    await work(tx, request, steps);
  });
}

/** Ends a step, and with it the request, with an error. Does nothing when the lease is gone. */
export async function failStep(database: Database, lease: StepLease, error: RequestError): Promise<void> {
  await database.transaction(async (tx) => {
    const request = await lockLeased(tx, lease).catch((reason: unknown) => {
      if (reason instanceof LeaseLostError) return null;
      throw reason;
    });
    if (!request) return;
    await tx.sql.query(
      `update bundle_request_steps set state = 'failed', finished_at = clock_timestamp(), worker_id = null
       where id = $1`,
      [lease.step.id],
    );
    await announceStep(tx.sql, await findSteps(tx.sql, request.id), lease.step.id);
    await changeState(tx.sql, request, 'failed', error.message, error);
    await endRequest(tx, request);
  });
}

/**
 * Gives back a step that this worker does not finish: another one begins it anew at once, and no attempt counts. False: the
 * lease is gone.
 */
export async function returnStep(database: Database, lease: StepLease): Promise<boolean> {
  return await database.transaction(async (tx) => {
    const request = await lockLeased(tx, lease).catch((reason: unknown) => {
      if (reason instanceof LeaseLostError) return null;
      throw reason;
    });
    if (!request) return false;
    await tx.sql.query(
      `update bundle_request_steps set state = 'queued', worker_id = null, started_at = null, progress = '{}'
       where id = $1`,
      [lease.step.id],
    );
    await announceStep(tx.sql, await findSteps(tx.sql, request.id), lease.step.id);
    await addStepJobs(tx.sql, request, lease.step.id);
    return true;
  });
}

/** Counters for subscribers. Throws LeaseLostError when the step is not ours any more. */
export async function reportProgress(
  database: Database,
  lease: StepLease,
  counters: StepCounters,
): Promise<void> {
  await database.transaction(async (tx) => {
    await lockLeased(tx, lease);
    await tx.sql.query('update bundle_request_steps set progress = $2::jsonb where id = $1', [
      lease.step.id,
      JSON.stringify(counters),
    ]);
    const { id: stepId, task, packageManager } = lease.step;
    await recordRequestEvent(tx.sql, lease.request.id, 'progress', {
      stepId,
      task,
      packageManager,
      ...counters,
    });
  });
}

/** True while the step is ours to work on. */
export async function leaseHolds(database: Database, lease: StepLease): Promise<boolean> {
  const rows = await database.sql.query(
    `select from bundle_request_steps s join bundle_requests r on r.id = s.request_id
     where s.id = $1 and s.attempt = $2 and s.state = 'running' and r.state = 'in_progress' and r.attempt = $3`,
    [lease.step.id, lease.step.attempt, lease.request.attempt],
  );
  return rows.length > 0;
}

/**
 * After a final state: the steps that are left are cancelled, the log takes no more lines and is compacted, and others
 * have its place. Nothing is locked afterwards in the same transaction.
 */
export async function endRequest({ sql }: Pick<Transaction, 'sql'>, request: BundleRequest): Promise<void> {
  const cancelled = await sql.query<{ id: number }>(
    `update bundle_request_steps set state = 'cancelled', finished_at = clock_timestamp(), worker_id = null
     where request_id = $1 and state in ('waiting', 'queued', 'running') returning id`,
    [request.id],
  );
  const steps = cancelled.length > 0 ? await findSteps(sql, request.id) : [];
  for (const { id } of cancelled) await announceStep(sql, steps, id);
  const subject = { subjectType: 'bundle-request', subjectId: request.id } as const;
  await closeLog(sql, subject);
  await addJob(sql, 'compact-log', subject, {
    key: `compact-log:bundle-request:${request.id}`,
    priority: 10,
  });
  await leaveQueue(sql, request.id);
}

/** How an error ends a request: known ones with their text, anything else masked (cachito.md 2.3). */
export function requestErrorOf(error: unknown): RequestError {
  if (error instanceof RequestFailure) {
    const { code, message, hint, details, name, origin } = error;
    return { code, message, hint, details, errorType: name, errorOrigin: origin };
  }
  if (error instanceof DomainError) {
    const { code, message, hint, details } = error;
    return { code, message, hint, details, errorType: 'CachitoError', errorOrigin: 'server' };
  }
  return {
    code: 'internal',
    message: 'An unknown error occurred',
    hint: 'The log of the worker names the cause.',
    details: {},
    errorType: 'UnknownError',
    errorOrigin: 'server',
  };
}

async function lockLeased({ sql }: Pick<Transaction, 'sql'>, lease: StepLease): Promise<BundleRequest> {
  const request = await lockRequest(sql, lease.request.id);
  const held = await sql.query(
    `select from bundle_request_steps where id = $1 and attempt = $2 and state = 'running'`,
    [lease.step.id, lease.step.attempt],
  );
  if (held.length === 0 || request.state !== 'in_progress' || request.attempt !== lease.request.attempt) {
    throw new LeaseLostError(`step ${lease.step.id} of request ${request.id} is not ours any more`);
  }
  return request;
}

/** `steps`: as they are now. */
async function announceStep(
  sql: Transaction['sql'],
  steps: readonly BundleRequestStep[],
  stepId: number,
): Promise<BundleRequestStep> {
  const step = steps.find((candidate) => candidate.id === stepId)!;
  const { requestId, task, packageManager, state, attempt } = step;
  await recordRequestEvent(sql, requestId, 'step', { stepId, task, packageManager, state, attempt });
  return step;
}

/** Records the reasons that have become due, in their fixed order (see state-reasons.ts). */
async function recordReasons(
  sql: Transaction['sql'],
  request: BundleRequest,
  steps: readonly BundleRequestStep[],
): Promise<void> {
  const due = [FETCHING_SOURCE, ...dueReasons(request, steps)];
  for (const reason of due.slice(request.reasonsRecorded))
    await changeState(sql, request, 'in_progress', reason);
  if (due.length > request.reasonsRecorded) {
    request.reasonsRecorded = due.length;
    await sql.query('update bundle_requests set reasons_recorded = $2 where id = $1', [
      request.id,
      due.length,
    ]);
  }
}
