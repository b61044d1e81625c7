import { EventEmitter } from 'node:events';
import {
  Logger as JobLogger,
  parseCronItems,
  type Runner,
  run,
  type Task,
  type WorkerEvents,
} from 'graphile-worker';
import { LOCAL_SOURCE_JOB } from '../domain/database/sql/add-job.ts';
import type { TaskName } from '../domain/queue/tasks.ts';
import { forgivingPool } from './forgiving-pool.ts';
import type { HeldJobs } from './held-jobs.ts';
import type { JobPlaces } from './job-places.ts';
import type { PausedTasks } from './paused-tasks.ts';
import type { WorkerContext } from './worker-context.ts';

export interface JobPoolOptions {
  tasks: readonly TaskName[];
  list: Record<TaskName, Task>;
  concurrency: number;
  places: JobPlaces;
  paused: PausedTasks;
  held: HeldJobs;
}

/** Task and time; one run for all workers together, whichever takes it. */
const SCHEDULE = [
  ['expire-requests', '*/5 * * * *'],
  ['expire-uploads', '7 * * * *'],
  ['collect-garbage', '*/10 * * * *'],
  ['apply-retention', '41 * * * *'],
  ['scrub-store', '0 3 * * 0'],
] as const;

/** After its last job, for what a pool has to tell the database. It may never be done with that once something failed. */
const LAST_WORDS_MS = 5_000;

/**
 * A pool of the library. It ends by itself, and for good, when the database is away while it is told how a job ended; the
 * jobs that it has then go on.
 */
export class JobPool {
  /** It takes no more jobs. */
  readonly ended: Promise<void>;
  readonly #runner: Runner;
  readonly #silent: Promise<void>;
  #stopped: Promise<void> | null = null;

  private constructor(runner: Runner, { ended, silent }: { ended: Promise<void>; silent: Promise<void> }) {
    this.#runner = runner;
    this.ended = ended;
    this.#silent = silent;
    void ended.then(() => this.#stop());
  }

  static async start(context: WorkerContext, options: JobPoolOptions): Promise<JobPool> {
    const events = new EventEmitter() as WorkerEvents;
    options.held.watch(events);
    events.on('pool:listen:error', ({ error }) =>
      context.logger.warn({ err: error }, 'queue connection lost'),
    );
    const ends = endsOf(events);
    const runner = await startRunner(context, events, options);
    runner.promise.catch(() => undefined);
    return new JobPool(runner, ends);
  }

  /** Takes no more jobs; resolves when those that it has are over. */
  async stop(): Promise<void> {
    await this.#stop();
    await this.#silent;
  }

  /** Its schedule may sleep for a minute after an error, and nobody waits for that. */
  async #stop(): Promise<void> {
    this.#stopped ??= this.#runner.stop().catch(() => undefined);
    await Promise.race([this.#stopped, this.#silent]);
  }
}

/** When a pool takes no more jobs, and when it has nothing more to say. */
function endsOf(events: WorkerEvents): { ended: Promise<void>; silent: Promise<void> } {
  const ended = Promise.withResolvers<void>();
  const silent = Promise.withResolvers<void>();
  let hasEnded = false;
  let running = 0;
  let lastWords: NodeJS.Timeout | undefined;
  const change = (by: number): void => {
    running += by;
    clearTimeout(lastWords);
    if (hasEnded && running === 0) lastWords = setTimeout(silent.resolve, LAST_WORDS_MS);
  };
  events.on('job:start', () => change(1));
  events.on('job:complete', () => change(-1));
  events.on('worker:fatalError', () => change(-1));
  events.once('pool:gracefulShutdown', () => {
    hasEnded = true;
    change(0);
    ended.resolve();
  });
  events.once('pool:release', () => {
    clearTimeout(lastWords);
    silent.resolve();
  });
  return { ended: ended.promise, silent: silent.promise };
}

async function startRunner(
  { settings, database, logger }: WorkerContext,
  events: WorkerEvents,
  { tasks, list, concurrency, places, paused }: JobPoolOptions,
): Promise<Runner> {
  const takePlace = places.ofPool(events);
  // Several workers may share a database: `npm start`, and a `stowage prefetch` of a path beside it.
  const foreign = settings.gitAllowedProtocols.includes('file') ? [] : [LOCAL_SOURCE_JOB];
  return await run({
    pgPool: forgivingPool(database.pool),
    taskList: Object.fromEntries(tasks.map((task) => [task, unlessPaused(task, list[task], paused)])),
    events,
    concurrency,
    // Asked for right before a job is.
    forbiddenFlags: async () => {
      await takePlace();
      return [...foreign, ...paused.flags];
    },
    noHandleSignals: true,
    pollInterval: 1_000,
    logger: new JobLogger(() => (level, message) => {
      if (level === 'error') logger.error(message);
      else if (level === 'warning') logger.warn(message);
      else logger.debug(message);
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
}

/** Jobs of the schedule have no flags: while their task is paused they do nothing. */
function unlessPaused(task: TaskName, work: Task, paused: PausedTasks): Task {
  if (!SCHEDULE.some(([scheduled]) => scheduled === task)) return work;
  return async (payload, helpers) => {
    if (!paused.has(task)) await work(payload, helpers);
  };
}
