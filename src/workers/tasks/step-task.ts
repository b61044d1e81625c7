import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Task } from 'graphile-worker';
import type {
  BundleRequest,
  BundleRequestStep,
  RequestError,
} from '../../domain/bundle-requests/bundle-request.ts';
import {
  failStep,
  leaseHolds,
  requestErrorOf,
  returnStep,
  type StepLease,
  takeStep,
} from '../../domain/bundle-requests/run-step.ts';
import type { StepPayload } from '../../domain/database/sql/add-job.ts';
import { DomainError, NetworkError } from '../../domain/errors.ts';
import { LeaseLostError } from '../../domain/lease-lost.ts';
import { LogWriter } from '../../domain/logs/log-writer.ts';
import { Seal } from '../../domain/secrets/seal.ts';
import { currentSpan, inSpan, type SpanAttributes } from '../../domain/tracing/span.ts';
import { DownloadSpan } from '../downloads/download-span.ts';
import { maskCredentials } from '../downloads/mask-credentials.ts';
import type { WorkerContext } from '../worker-context.ts';
import { LeaseWatch } from './lease-watch.ts';
import { maskedDetails } from './masked-details.ts';
import { isServiceFailure } from './service-failure.ts';
import { StepBlobs } from './step-blobs.ts';
import { StepProgressReporter } from './step-progress.ts';
import type { TaskServices } from './task-services.ts';

/** What one run of a step works with. */
export interface StepContext {
  worker: WorkerContext;
  services: TaskServices;
  lease: StepLease;
  request: BundleRequest;
  step: BundleRequestStep;
  /** Remembers what the step wrote, so that nothing unnamed stays behind when it fails. */
  blobs: StepBlobs;
  log: LogWriter;
  progress: StepProgressReporter;
  /** For traces. */
  downloads: DownloadSpan;
  /** Aborted on cancel, on shutdown, when the lease is lost and when the request's time is over. */
  signal: AbortSignal;
  temporaryDirectory: string;
}

/**
 * Makes a job out of the work of one step: takes the step, watches its lease, turns errors into the request's end, and
 * cleans up. Idempotent and fenced, see src/domain/bundle-requests/run-step.ts.
 *
 *   work returns           → the work has ended the step itself, in its own transaction
 *   work throws            → the request fails with the error's text
 *   lease lost or cancel   → nothing is written any more
 *   shutdown               → the step waits again, for another worker
 *   database, blob store or room away → the job is left to be done again
 */
export function stepTask(services: TaskServices, work: (context: StepContext) => Promise<void>): Task {
  const { context: worker } = services;
  return async (payload) => {
    const lease = await inSpan('take step', {}, () =>
      takeStep(worker.database, payload as StepPayload, worker.workerId),
    );
    if (!lease) return;
    const name = lease.step.packageManager
      ? `${lease.step.task}.${lease.step.packageManager}`
      : lease.step.task;
    currentSpan()?.set({ 'stowage.step': name, 'stowage.step.attempt': lease.step.attempt });
    const started = Date.now();
    const outcome = await runStep(services, lease, name, work);
    currentSpan()?.set({ 'stowage.outcome': outcome });
    worker.metrics.add(`stowage_jobs_total{task="${lease.step.task}",outcome="${outcome}"}`);
    worker.metrics.add(`stowage_job_seconds_total{task="${lease.step.task}"}`, (Date.now() - started) / 1000);
  };
}

async function runStep(
  services: TaskServices,
  lease: StepLease,
  name: string,
  work: (context: StepContext) => Promise<void>,
): Promise<'succeeded' | 'failed' | 'lost' | 'returned'> {
  const { context: worker } = services;
  const subject = { subjectType: 'bundle-request', subjectId: lease.request.id } as const;
  const log = new LogWriter(worker.database, subject, name, maskCredentials);
  const watch = new LeaseWatch(worker, {
    topic: `bundle-request:${lease.request.id}`,
    holds: () => leaseHolds(worker.database, lease),
    endsAt: lease.request.updatedAt.getTime() + worker.settings.limits.requestSeconds * 1000,
  });
  const progress = new StepProgressReporter(worker.database, lease, () => watch.check());
  const blobs = new StepBlobs(worker.blobs, worker.database);
  const downloads = new DownloadSpan();
  const temporaryDirectory = join(worker.temporaryRoot, `${lease.step.id}-${lease.step.attempt}`);
  try {
    await mkdir(temporaryDirectory, { recursive: true });
    if (lease.step.attempt > 1) log.info(`run ${lease.step.attempt} of this step`);
    const seal = await Seal.open(worker.settings);
    lease.request.repository = seal.unsealUrl(lease.request.repository);
    await work({
      worker,
      services,
      lease,
      request: lease.request,
      step: lease.step,
      blobs,
      log,
      progress,
      downloads,
      signal: watch.signal,
      temporaryDirectory,
    });
    await log.flush();
    blobs.keep();
    return 'succeeded';
  } catch (error) {
    await progress.stop();
    await blobs.drop();
    if (error instanceof LeaseLostError || watch.lost) return 'lost';
    if (worker.shutdown.aborted) {
      log.info('the worker stops: another one begins this step anew');
      await log.flush();
      return (await returnStep(worker.database, lease)) ? 'returned' : 'lost';
    }
    if (isServiceFailure(error)) throw error;
    await reportFailure(worker, lease, log, watch.timedOut ? outOfTime(worker) : error);
    return 'failed';
  } finally {
    await progress.stop();
    downloads.end(countsOf(progress));
    watch.stop();
    await rm(temporaryDirectory, { recursive: true, force: true });
    await log.flush().catch((error: unknown) => worker.logger.warn({ err: error }, 'log lines were lost'));
  }
}

function countsOf({ counters: { files, cachedFiles, bytes } }: StepProgressReporter): SpanAttributes {
  return { 'stowage.files': files, 'stowage.files.cached': cachedFiles, 'stowage.bytes': bytes };
}

async function reportFailure(
  worker: WorkerContext,
  lease: StepLease,
  log: LogWriter,
  error: unknown,
): Promise<void> {
  const reason = withoutCredentials(requestErrorOf(error));
  const fields = { err: error, request: lease.request.id, step: lease.step.id };
  if (error instanceof DomainError) worker.logger.info(fields, 'a step failed');
  else worker.logger.error(fields, 'a step failed unexpectedly');
  currentSpan()?.fail(reason.code);
  log.error(reason.message);
  if (reason.hint) log.info(`hint: ${reason.hint}`);
  for (const [key, value] of Object.entries(reason.details)) {
    log.info(`${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`);
  }
  await log.flush();
  await failStep(worker.database, lease, reason);
}

/** Lock and requirements files may name URLs with passwords, and errors quote them. */
function withoutCredentials(error: RequestError): RequestError {
  return {
    ...error,
    message: maskCredentials(error.message),
    hint: error.hint === null ? null : maskCredentials(error.hint),
    details: maskedDetails(error.details, maskCredentials),
  };
}

function outOfTime(worker: WorkerContext): NetworkError {
  return new NetworkError(
    'internal',
    `The request took longer than ${worker.settings.limits.requestSeconds} seconds`,
    {
      hint: 'Raise requestSeconds in STOWAGE_LIMITS.',
    },
  );
}
