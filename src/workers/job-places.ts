import type { WorkerEvents } from 'graphile-worker';

/** What a pool's worker tells when it has no job, or none any more. */
const OVER = ['worker:getJob:empty', 'worker:getJob:error', 'job:complete', 'worker:fatalError'] as const;

/**
 * So many jobs at a time, whichever pool has them: those of a pool that has ended run on, and the pool that follows it
 * takes no more than there are places left.
 */
export class JobPlaces {
  #free: number;
  #change = Promise.withResolvers<void>();

  constructor(count: number) {
    this.#free = count;
  }

  /** For a pool that is about to be made: its workers take a place each time before they look for a job. */
  ofPool(events: WorkerEvents): () => Promise<void> {
    let hasEnded = false;
    // Who waits finds that there are no jobs any more.
    events.once('pool:gracefulShutdown', () => {
      hasEnded = true;
      this.#tell();
    });
    const giveBack = (): void => {
      this.#free += 1;
      this.#tell();
    };
    for (const event of OVER) events.on(event, giveBack);
    return async () => {
      while (this.#free <= 0 && !hasEnded) await this.#change.promise;
      this.#free -= 1;
    };
  }

  #tell(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }
}
