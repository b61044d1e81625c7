import { hostname } from 'node:os';
import { tidyQueue } from '../domain/bundle-requests/request-queue.ts';
import { failStep, takeStep } from '../domain/bundle-requests/run-step.ts';
import { deleteReplacedJobs } from '../domain/database/sql/dead-jobs.ts';
import { findAbandonedBuilds } from '../domain/database/sql/find-abandoned-builds.ts';
import { findAbandonedSteps } from '../domain/database/sql/find-abandoned-steps.ts';
import { findWorkersOfHost, releaseDeadWorkers } from '../domain/database/sql/release-dead-workers.ts';
import { unlockOwnerlessJobs } from '../domain/database/sql/unlock-ownerless-jobs.ts';
import { failBuild, requeueBuildsOf, takeBuild } from '../domain/images/run-build.ts';
import { isProcessAlive } from '../domain/process-alive.ts';
import { removeAbandonedDirectories } from './abandoned-directories.ts';
import { Contact } from './contact.ts';
import type { HeldJobs } from './held-jobs.ts';
import type { WorkerContext } from './worker-context.ts';

/**
 * Every worker looks after the others: the jobs of a worker whose heart stopped are unlocked within 30 seconds
 * (DESIGN section 2), those of a process of this host that is gone at once.
 */
const SILENCE_SECONDS = 15;
const ROUND_MS = 4_000;

export class Recovery {
  readonly #context: WorkerContext;
  readonly #held: HeldJobs;
  readonly #contact = new Contact(2 * ROUND_MS);
  #timer: NodeJS.Timeout | null = null;
  #round: Promise<void> = Promise.resolve();

  constructor(context: WorkerContext, held: HeldJobs) {
    this.#context = context;
    this.#held = held;
  }

  async start(): Promise<void> {
    await this.#recover();
    this.#timer = setInterval(() => {
      this.#round = this.#recover();
    }, ROUND_MS);
  }

  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    await this.#round;
  }

  async #recover(): Promise<void> {
    const { logger } = this.#context;
    try {
      await this.#releaseDead();
      const lost = await this.#held.releaseLost(this.#context.database.sql);
      if (lost.length > 0)
        logger.warn({ jobs: lost }, 'jobs locked for this worker, but not here, were released');
      await unlockOwnerlessJobs(this.#context.database.sql, SILENCE_SECONDS);
      await deleteReplacedJobs(this.#context.database.sql);
      await tidyQueue(this.#context.database);
      await this.#failAbandoned();
      await this.#failAbandonedBuilds();
      await removeAbandonedDirectories(this.#context);
      await this.#context.blobs.sweepTemporaryFiles(isProcessAlive);
    } catch (error) {
      logger.warn({ err: error }, 'recovery failed');
    }
  }

  async #releaseDead(): Promise<void> {
    const { database, logger, workerId } = this.#context;
    const neighbours = await findWorkersOfHost(database.sql, hostname());
    this.#contact.made();
    const gone = neighbours.filter((worker) => worker.id !== workerId && !isProcessAlive(worker.pid));
    const dead = await releaseDeadWorkers(database.sql, {
      silentSeconds: this.#contact.hasLasted(SILENCE_SECONDS * 1_000) ? SILENCE_SECONDS : null,
      known: gone.map((worker) => worker.id),
      // Who looks after the others lives, however long the machine has slept.
      alive: workerId,
    });
    await requeueBuildsOf(
      database,
      dead.map((worker) => worker.id),
    );
    for (const worker of dead) {
      logger.warn(
        { worker: worker.id, host: worker.host, pid: worker.pid },
        'a worker died; its jobs were released',
      );
    }
  }

  async #failAbandoned(): Promise<void> {
    const { database, workerId } = this.#context;
    for (const payload of await findAbandonedSteps(database.sql)) {
      const lease = await takeStep(database, payload, workerId);
      if (!lease) continue;
      await failStep(database, lease, {
        code: 'internal',
        message: 'An unknown error occurred',
        hint: 'The step ended its worker several times; the logs of the workers name the cause.',
        details: {},
        errorType: 'UnknownError',
        errorOrigin: 'server',
      });
    }
  }

  async #failAbandonedBuilds(): Promise<void> {
    const { database, settings, workerId } = this.#context;
    for (const payload of await findAbandonedBuilds(database.sql)) {
      const lease = await takeBuild(database, payload, workerId);
      if (!lease) continue;
      await failBuild(database, settings, lease, {
        reason: 'internal',
        message: 'The build ended its worker several times; the logs of the workers name the cause',
        details: {},
      });
    }
  }
}
