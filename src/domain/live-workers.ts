import type { Database } from './database/database.ts';
import {
  listRunningBuilds,
  listRunningJobs,
  listRunningSteps,
  listWorkers,
  type RunningBuildRow,
  type RunningJobRow,
  type RunningStepRow,
  type WorkerRow,
} from './database/sql/list-workers.ts';
import { type Principal, requireAdmin } from './identity/principal.ts';

export interface LiveWorker extends WorkerRow {
  /** What it does now, the oldest first. */
  running: RunningStepRow[];
  builds: RunningBuildRow[];
  /** All its jobs: those, and maintenance. */
  jobs: RunningJobRow[];
}

/** Workers that live, the oldest first. For administrators. */
export async function findLiveWorkers(database: Database, principal: Principal): Promise<LiveWorker[]> {
  requireAdmin(principal);
  const { sql } = database;
  const [workers, steps, builds, jobs] = await Promise.all([
    listWorkers(sql),
    listRunningSteps(sql),
    listRunningBuilds(sql),
    listRunningJobs(sql),
  ]);
  return workers.map((worker) => ({
    ...worker,
    running: steps.filter((step) => step.workerId === worker.id),
    builds: builds.filter((build) => build.workerId === worker.id),
    jobs: jobs.filter((job) => job.workerId === worker.id),
  }));
}
