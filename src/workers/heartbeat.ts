import { hostname } from 'node:os';
import { endWorker, insertWorker, markDraining, updateHeartbeat } from '../domain/database/sql/workers.ts';
import type { SqlExecutor } from '../domain/database/sql-executor.ts';
import type { HeldJobs } from './held-jobs.ts';
import type { WorkerContext } from './worker-context.ts';

const BEAT_MS = 4_000;

/** Tells the others that this worker lives. A worker whose heart stops loses its jobs (see recovery.ts). */
export class Heartbeat {
  readonly #context: WorkerContext;
  readonly #held: HeldJobs;
  #timer: NodeJS.Timeout | null = null;
  #last: Promise<void> = Promise.resolve();

  constructor(context: WorkerContext, held: HeldJobs) {
    this.#context = context;
    this.#held = held;
  }

  async start(concurrency: number): Promise<void> {
    const { workerId, settings } = this.#context;
    await insertWorker(this.#sql, {
      id: workerId,
      host: hostname(),
      pid: process.pid,
      poolIds: this.#poolIds,
      tasks: settings.workerTasks,
      concurrency,
    });
    this.#timer = setInterval(() => {
      this.#last = this.beat();
    }, BEAT_MS);
  }

  /** From now on it takes no more jobs. */
  async drain(): Promise<void> {
    const { workerId, logger } = this.#context;
    await markDraining(this.#sql, workerId).catch((error: unknown) =>
      logger.warn({ err: error }, 'nobody was told that this worker stops'),
    );
  }

  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    await this.#last;
    await this.beat();
    await endWorker(this.#sql, this.#context.workerId);
  }

  /** At once, when its pools are others now. */
  async beat(): Promise<void> {
    const { workerId, metrics, logger } = this.#context;
    const state = { metrics: metrics.snapshot(), poolIds: this.#poolIds };
    await updateHeartbeat(this.#sql, workerId, state).catch((error: unknown) =>
      logger.warn({ err: error }, 'heartbeat failed'),
    );
  }

  /** Before it has one, its own name stands for it. */
  get #poolIds(): readonly string[] {
    const { poolIds } = this.#held;
    return poolIds.length > 0 ? poolIds : [this.#context.workerId];
  }

  get #sql(): SqlExecutor {
    return this.#context.database.sql;
  }
}
