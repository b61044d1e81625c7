import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Settings } from '../domain/config.ts';
import type { Database } from '../domain/database/database.ts';
import type { EventHub } from '../domain/events/event-hub.ts';
import { TASKS, type TaskName } from '../domain/queue/tasks.ts';
import type { BlobStore } from '../domain/storage/blob-store.ts';
import type { Tracing } from '../domain/tracing/tracing.ts';
import type { ImageBuilding } from './builders/image-building.ts';
import { Heartbeat } from './heartbeat.ts';
import { HeldJobs } from './held-jobs.ts';
import { JobQueue } from './job-queue.ts';
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
  /** Absent, null: traces are off. */
  tracing?: Tracing | null;
}

export interface RunningWorker {
  id: string;
  /**
   * Takes no more jobs, lets go of the running ones after `graceMs` (default: by the settings), which another worker then
   * repeats, and leaves no lock.
   */
  stop(graceMs?: number): Promise<void>;
  /** Ends when one of its queues was lost and cannot be renewed. */
  done: Promise<void>;
}

/** Starts one worker process: jobs, heartbeat, recovery of others. The database must be migrated. */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const shutdown = new AbortController();
  const workerId = randomUUID();
  const temporaryRoot = join(options.settings.dataDir, 'tmp', workerId);
  const context: WorkerContext = {
    ...options,
    workerId,
    temporaryRoot,
    metrics: new WorkerMetrics(),
    shutdown: shutdown.signal,
  };

  const held = new HeldJobs();
  const heartbeat = new Heartbeat(context, held);
  const recovery = new Recovery(context, held);
  const reports = new ServiceReports(context);
  const paused = new PausedTasks(context);
  const tasks = createTasks(context);
  const places = placesOf(options.settings);
  const concurrency = places.reduce((sum, one) => (isForBuilds(one) ? sum : sum + one.concurrency), 0);
  // Whatever becomes of it from here on, others know whose the directory is.
  await heartbeat.start(concurrency);
  await mkdir(temporaryRoot, { recursive: true });
  await paused.start();
  const queues = await Promise.all(
    places.map((one) =>
      JobQueue.start(context, { ...one, list: tasks.list, paused, held, onRenewed: () => heartbeat.beat() }),
    ),
  );
  await heartbeat.beat();
  await recovery.start();
  reports.start();
  context.logger.info({ worker: workerId, places }, 'worker ready');

  let stopping: Promise<void> | null = null;
  const stop = async (graceMs: number): Promise<void> => {
    const deadline = setTimeout(() => shutdown.abort(new Error('the worker stops')), graceMs);
    await Promise.all([heartbeat.drain(), ...queues.map((queue) => queue.stop())]);
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
    // It would live on and do nothing; whoever supervises it starts another.
    done: Promise.race(queues.map((queue) => queue.broken)),
  };
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
