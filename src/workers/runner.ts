import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  Logger as JobLogger,
  parseCronItems,
  type Runner,
  run,
  type TaskList,
  type WorkerEvents,
} from 'graphile-worker';
import type { Logger } from 'pino';
import type { Settings } from '../domain/config.ts';
import type { Database } from '../domain/database/database.ts';
import { LOCAL_SOURCE_JOB } from '../domain/database/sql/add-job.ts';
import type { EventHub } from '../domain/events/event-hub.ts';
import type { BlobStore } from '../domain/storage/blob-store.ts';
import type { ImageBuilding } from './builders/image-building.ts';
import { Heartbeat } from './heartbeat.ts';
import { Recovery } from './recovery.ts';
import { removeTree } from './remove-tree.ts';
import { ServiceReports } from './status/service-reports.ts';
import { createTasks } from './tasks/tasks.ts';
import type { WorkerContext } from './worker-context.ts';
import { WorkerMetrics } from './worker-metrics.ts';

export interface WorkerOptions {
  settings: Settings;
  database: Database;
  blobs: BlobStore;
  hub: EventHub;
  logger: Logger;
  /** Absent: by the settings. */
  imageBuilding?: ImageBuilding;
}

export interface RunningWorker {
  id: string;
  /** Takes no more jobs, lets go of the running ones after `graceMs` (another worker repeats them), leaves no lock. */
  stop(graceMs?: number): Promise<void>;
  /** Ends when the worker has stopped; throws when it broke. */
  done: Promise<void>;
}

const DEFAULT_GRACE_MS = 5_000;

/** Starts one worker process: jobs, heartbeat, recovery of others. The database must be migrated. */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const shutdown = new AbortController();
  const workerId = randomUUID();
  const temporaryRoot = join(options.settings.dataDir, 'tmp', workerId);
  await mkdir(temporaryRoot, { recursive: true });
  const context: WorkerContext = {
    ...options,
    workerId,
    temporaryRoot,
    metrics: new WorkerMetrics(),
    shutdown: shutdown.signal,
  };

  const heartbeat = new Heartbeat(context);
  const recovery = new Recovery(context);
  const reports = new ServiceReports(context);
  const tasks = createTasks(context);
  const { workerConcurrency, buildConcurrency } = options.settings;
  const [jobs, builds] = await Promise.all([
    startRunner(context, { tasks: tasks.list, concurrency: workerConcurrency, schedule: SCHEDULE }),
    startRunner(context, { tasks: tasks.builds, concurrency: buildConcurrency, schedule: [] }),
  ]);
  const runners = [jobs.runner, builds.runner];
  await heartbeat.start(jobs.poolId, builds.poolId);
  await recovery.start();
  reports.start();
  context.logger.info({ worker: workerId, concurrency: workerConcurrency, buildConcurrency }, 'worker ready');

  let stopping: Promise<void> | null = null;
  const stop = async (graceMs: number): Promise<void> => {
    const deadline = setTimeout(() => shutdown.abort(new Error('the worker stops')), graceMs);
    await Promise.all(runners.map((runner) => runner.stop()));
    clearTimeout(deadline);
    shutdown.abort(new Error('the worker stops'));
    await reports.stop();
    await recovery.stop();
    await heartbeat.stop();
    await tasks.close();
    await removeTree(temporaryRoot);
  };
  return {
    id: workerId,
    stop: (graceMs = DEFAULT_GRACE_MS) => (stopping ??= stop(graceMs)),
    done: Promise.all(runners.map((runner) => runner.promise)).then(() => undefined),
  };
}

/** Task and time; one run for all workers together, whichever takes it. */
const SCHEDULE = [
  ['expire-requests', '*/5 * * * *'],
  ['expire-uploads', '7 * * * *'],
  ['collect-garbage', '*/10 * * * *'],
  ['scrub-store', '0 3 * * 0'],
] as const;

interface RunnerOptions {
  tasks: TaskList;
  concurrency: number;
  schedule: readonly (readonly [task: string, match: string])[];
}

/** The pool's id owns the locks of its jobs: others must know it soon (stack.md 4). */
async function startRunner(
  context: WorkerContext,
  { tasks, concurrency, schedule }: RunnerOptions,
): Promise<{ runner: Runner; poolId: string }> {
  const events = new EventEmitter() as WorkerEvents;
  const poolId = new Promise<string>((resolve) => {
    events.once('pool:create', ({ workerPool }) => resolve((workerPool as unknown as { id: string }).id));
  });
  events.on('pool:listen:error', ({ error }) => context.logger.warn({ err: error }, 'queue connection lost'));
  const runner = await run({
    pgPool: context.database.pool,
    taskList: tasks,
    events,
    concurrency,
    // Several workers may share a database: `npm start`, and a `stowage prefetch` of a path beside it.
    forbiddenFlags: context.settings.gitAllowedProtocols.includes('file') ? null : [LOCAL_SOURCE_JOB],
    noHandleSignals: true,
    pollInterval: 1_000,
    logger: new JobLogger(() => (level, message) => {
      if (level === 'error') context.logger.error(message);
      else if (level === 'warning') context.logger.warn(message);
      else context.logger.debug(message);
    }),
    parsedCronItems: parseCronItems(
      schedule.map(([task, match]) => ({
        task,
        match,
        identifier: task,
        options: { backfillPeriod: 0, maxAttempts: 1, jobKey: task },
      })),
    ),
    preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
  });
  return { runner, poolId: await poolId };
}
