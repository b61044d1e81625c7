import type { WorkerEvents, WorkerPool } from 'graphile-worker';
import { findJobsOfPools, type LockedJob, unlockJobs } from '../domain/database/sql/lost-jobs.ts';
import type { SqlExecutor } from '../domain/database/sql-executor.ts';

/**
 * The jobs that this worker has. When the connection breaks right after a job was locked for it, the worker is never told;
 * when it breaks while the worker says how a job ended, the queue forgets to say it again. Both times the database holds
 * the job for a worker that lives, and nobody does it.
 *
 * A job is lost when two looks in a row find it locked for the same attempt and not here: between them its answer has
 * arrived, or the report that it is done.
 */
export class HeldJobs {
  #poolIds: string[] = [];
  readonly #endedPools = new Set<string>();
  readonly #ids = new Set<number>();
  readonly #pauseMs: number;
  #suspects: readonly LockedJob[] = [];
  #nextLookAt = 0;

  constructor({ pauseMs = PAUSE_MS }: { pauseMs?: number } = {}) {
    this.#pauseMs = pauseMs;
  }

  /** Owners of the locks of its jobs: others must know them soon (stack.md 4). */
  get poolIds(): readonly string[] {
    return this.#poolIds;
  }

  /** Before the pool is made. */
  watch(events: WorkerEvents): void {
    events.on('pool:create', ({ workerPool }) => this.#poolIds.push(idOf(workerPool)));
    events.on('pool:gracefulShutdown', ({ workerPool }) => this.#endedPools.add(idOf(workerPool)));
    events.on('job:start', ({ job }) => this.#ids.add(Number(job.id)));
    events.on('job:complete', ({ job }) => this.#ids.delete(Number(job.id)));
    events.on('worker:fatalError', ({ worker }) => this.#ids.delete(Number(worker.getActiveJob()?.id)));
  }

  /** Returns the jobs that it unlocked; looks that would come too early or beside another one are left out. */
  async releaseLost(sql: SqlExecutor): Promise<LockedJob[]> {
    if (performance.now() < this.#nextLookAt) return [];
    this.#nextLookAt = Number.POSITIVE_INFINITY;
    try {
      return await this.#look(sql);
    } finally {
      this.#nextLookAt = performance.now() + this.#pauseMs;
    }
  }

  async #look(sql: SqlExecutor): Promise<LockedJob[]> {
    const locked = await findJobsOfPools(sql, this.#poolIds);
    const missing = locked.filter(({ id }) => !this.#ids.has(id));
    const lost = missing.filter(({ id, attempts }) =>
      this.#suspects.some((one) => one.id === id && one.attempts === attempts),
    );
    this.#suspects = missing;
    this.#forgetPools(locked);
    if (lost.length > 0) await unlockJobs(sql, this.#poolIds, lost);
    return lost;
  }

  /** Those that will have no job any more. A worker is known by one pool at least. */
  #forgetPools(locked: readonly LockedJob[]): void {
    for (const pool of this.#poolIds.slice(0, -1)) {
      if (!this.#endedPools.has(pool) || locked.some(({ poolId }) => poolId === pool)) continue;
      this.#poolIds = this.#poolIds.filter((one) => one !== pool);
      this.#endedPools.delete(pool);
    }
  }
}

/** The library keeps it from the types. */
function idOf(pool: WorkerPool): string {
  return (pool as unknown as { id: string }).id;
}

/** From the answer of a look on. A database that hung answers everything at once. */
const PAUSE_MS = 2_000;
