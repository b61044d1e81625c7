import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  Logger as JobLogger,
  parseCronItems,
  type Runner,
  run,
  type Task,
  type WorkerEvents,
} from 'graphile-worker';
import type { Logger } from 'pino';
import type { Settings } from '../domain/config.ts';
import type { Database } from '../domain/database/database.ts';
import { LOCAL_SOURCE_JOB } from '../domain/database/sql/add-job.ts';
import type { EventHub } from '../domain/events/event-hub.ts';
import { TASKS, type TaskName } from '../domain/queue/tasks.ts';
import type { BlobStore } from '../domain/storage/blob-store.ts';
import type { ImageBuilding } from './builders/image-building.ts';
import { Heartbeat } from './heartbeat.ts';
import { HeldJobs } from './held-jobs.ts';
import { PausedTasks } from './paused-tasks.ts';
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
  /**
   * Takes no more jobs, lets go of the running ones after `graceMs` (default: by the settings), which another worker then
   * repeats, and leaves no lock.
   */
  stop(graceMs?: number): Promise<void>;
  /** Ends when the worker, or only one of its pools, has stopped, by itself too; throws when it broke. */
  done: Promise<void>;
}

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
  const held = new HeldJobs();
  const recovery = new Recovery(context, held);
  const reports = new ServiceReports(context);
  const paused = new PausedTasks(context);
  const tasks = createTasks(context);
  const places = placesOf(options.settings);
  await paused.start();
  const pools = await Promise.all(
    places.map((one) => startRunner(context, { ...one, list: tasks.list, paused, held })),
  );
  const runners = pools.map((pool) => pool.runner);
  const concurrency = places.reduce((sum, one) => (isForBuilds(one) ? sum : sum + one.concurrency), 0);
  await heartbeat.start({ poolIds: pools.map((pool) => pool.poolId), concurrency });
  await recovery.start();
  reports.start();
  context.logger.info({ worker: workerId, places }, 'worker ready');

  let stopping: Promise<void> | null = null;
  const stop = async (graceMs: number): Promise<void> => {
    const deadline = setTimeout(() => shutdown.abort(new Error('the worker stops')), graceMs);
    await Promise.all([heartbeat.drain(), ...runners.map((runner) => stopRunner(context, runner))]);
    clearTimeout(deadline);
    shutdown.abort(new Error('the worker stops'));
    await paused.stop();
    await reports.stop();
    await recovery.stop();
    await heartbeat.stop();
    await tasks.close();
    await removeTree(temporaryRoot);
  };
  return {
    id: workerId,
    stop: (graceMs = options.settings.drainSeconds * 1_000) => (stopping ??= stop(graceMs)),
    // One without its pool for steps would live on and do nothing; whoever supervises it starts another.
    done: Promise.race(runners.map((runner) => runner.promise)),
  };
}

/** One that ended by itself, because the database was away, is stopped already. */
async function stopRunner({ logger }: WorkerContext, runner: Runner): Promise<void> {
  await runner.stop().catch((error: unknown) => logger.warn({ err: error }, 'the queue had stopped before'));
}

/** Tasks that share so many places of a worker. */
interface Places {
  tasks: readonly TaskName[];
  concurrency: number;
}

/** Of the tasks that a worker takes, those with a number of their own have places of their own; builds always do. */
function placesOf({ workerTasks, taskConcurrency, workerConcurrency, buildConcurrency }: Settings): Places[] {
  const own: Settings['taskConcurrency'] = { 'build-image': buildConcurrency, ...taskConcurrency };
  const wanted = workerTasks ?? TASKS;
  const shared = wanted.filter((task) => own[task] === undefined);
  const places: Places[] = wanted.flatMap((task) => {
    const concurrency = own[task];
    return concurrency === undefined ? [] : [{ tasks: [task], concurrency }];
  });
  if (shared.length > 0) places.unshift({ tasks: shared, concurrency: workerConcurrency });
  return places;
}

function isForBuilds({ tasks }: Places): boolean {
  return tasks.includes('build-image');
}

/** Task and time; one run for all workers together, whichever takes it. */
const SCHEDULE = [
  ['expire-requests', '*/5 * * * *'],
  ['expire-uploads', '7 * * * *'],
  ['collect-garbage', '*/10 * * * *'],
  ['apply-retention', '41 * * * *'],
  ['scrub-store', '0 3 * * 0'],
] as const;

interface RunnerOptions extends Places {
  list: Record<TaskName, Task>;
  paused: PausedTasks;
  held: HeldJobs;
}

/** The pool's id owns the locks of its jobs: others must know it soon (stack.md 4). */
async function startRunner(
  context: WorkerContext,
  { tasks, concurrency, list, paused, held }: RunnerOptions,
): Promise<{ runner: Runner; poolId: string }> {
  const events = new EventEmitter() as WorkerEvents;
  held.watch(events);
  const poolId = new Promise<string>((resolve) => {
    events.once('pool:create', ({ workerPool }) => resolve((workerPool as unknown as { id: string }).id));
  });
  events.on('pool:listen:error', ({ error }) => context.logger.warn({ err: error }, 'queue connection lost'));
  // Several workers may share a database: `npm start`, and a `stowage prefetch` of a path beside it.
  const foreign = context.settings.gitAllowedProtocols.includes('file') ? [] : [LOCAL_SOURCE_JOB];
  const runner = await run({
    pgPool: context.database.pool,
    taskList: Object.fromEntries(tasks.map((task) => [task, unlessPaused(task, list[task], paused)])),
    events,
    concurrency,
    forbiddenFlags: () => [...foreign, ...paused.flags],
    noHandleSignals: true,
    pollInterval: 1_000,
    logger: new JobLogger(() => (level, message) => {
      if (level === 'error') context.logger.error(message);
      else if (level === 'warning') context.logger.warn(message);
      else context.logger.debug(message);
    }),
    parsedCronItems: parseCronItems(
      SCHEDULE.filter(([task]) => tasks.includes(task)).map(([task, match]) => ({
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

/** Jobs of the schedule have no flags: while their task is paused they do nothing. */
function unlessPaused(task: TaskName, work: Task, paused: PausedTasks): Task {
  if (!SCHEDULE.some(([scheduled]) => scheduled === task)) return work;
  return async (payload, helpers) => {
    if (!paused.has(task)) await work(payload, helpers);
  };
}
