import { setTimeout as sleep } from 'node:timers/promises';
import { isConnectionLost } from '../domain/database/connection-lost.ts';
import { JobPlaces } from './job-places.ts';
import { JobPool, type JobPoolOptions } from './job-pool.ts';
import type { WorkerContext } from './worker-context.ts';

export interface JobQueueOptions extends Omit<JobPoolOptions, 'places'> {
  /** After another pool has followed one that was lost. */
  onRenewed(): Promise<void>;
}

const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 10_000;
/** A pool that lasted so long has recovered: the next loss begins with the first delay again. */
const STEADY_MS = 30_000;

/**
 * Takes jobs of some tasks, so many at a time. When its pool is lost another one follows, as soon as the database is back.
 *
 * running → lost → running …
 *    │       ├──→ broken (the database is there, but of no use)
 *    └───────┴──→ stopped
 */
export class JobQueue {
  readonly #context: WorkerContext;
  readonly #options: JobQueueOptions;
  readonly #places: JobPlaces;
  readonly #pools = new Set<JobPool>();
  readonly #stopping = new AbortController();
  readonly #broken = Promise.withResolvers<void>();
  #renewal: Promise<void> = Promise.resolve();
  #delay = FIRST_DELAY_MS;

  private constructor(context: WorkerContext, options: JobQueueOptions) {
    this.#context = context;
    this.#options = options;
    this.#places = new JobPlaces(options.concurrency);
  }

  static async start(context: WorkerContext, options: JobQueueOptions): Promise<JobQueue> {
    const queue = new JobQueue(context, options);
    await queue.#startPool();
    return queue;
  }

  /** Resolves when it was lost and cannot be renewed. */
  get broken(): Promise<void> {
    return this.#broken.promise;
  }

  /** Takes no more jobs; resolves when those that it has are over. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#renewal;
    await Promise.all([...this.#pools].map((pool) => pool.stop()));
  }

  async #startPool(): Promise<void> {
    const pool = await JobPool.start(this.#context, { ...this.#options, places: this.#places });
    const startedAt = performance.now();
    this.#pools.add(pool);
    void pool.ended.then(() => {
      if (this.#stopping.signal.aborted) return;
      if (performance.now() - startedAt > STEADY_MS) this.#delay = FIRST_DELAY_MS;
      this.#renewal = this.#renew();
      // What it still has goes on; then it is forgotten.
      void pool.stop().then(() => this.#pools.delete(pool));
    });
  }

  async #renew(): Promise<void> {
    const { logger, workerId, metrics } = this.#context;
    const { tasks, onRenewed } = this.#options;
    const { signal } = this.#stopping;
    logger.warn({ tasks }, 'the queue was lost');
    while (!signal.aborted) {
      await sleep(this.#delay, undefined, { signal }).catch(() => undefined);
      this.#delay = Math.min(2 * this.#delay, LONGEST_DELAY_MS);
      if (signal.aborted) return;
      try {
        await this.#startPool();
        metrics.add('stowage_queue_renewals_total');
        await onRenewed();
        logger.info({ worker: workerId, tasks }, 'worker ready again');
        return;
      } catch (error) {
        if (!isConnectionLost(error)) {
          logger.error({ err: error }, 'the queue cannot be renewed');
          return this.#broken.resolve();
        }
        logger.warn({ err: error, nextInMs: this.#delay }, 'the queue cannot be renewed yet');
      }
    }
  }
}
