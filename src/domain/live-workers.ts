import type { Database } from './database/database.ts';
import {
  listRunningSteps,
  listWorkers,
  type RunningStepRow,
  type WorkerRow,
} from './database/sql/list-workers.ts';
import { type Principal, requireAdmin } from './identity/principal.ts';

export interface LiveWorker extends WorkerRow {
  /** What it does now, the oldest first. */
  running: RunningStepRow[];
}

/** Workers that live, the oldest first. For administrators. */
export async function findLiveWorkers(database: Database, principal: Principal): Promise<LiveWorker[]> {
  requireAdmin(principal);
  const [workers, steps] = await Promise.all([listWorkers(database.sql), listRunningSteps(database.sql)]);
  return workers.map((worker) => ({
    ...worker,
    running: steps.filter((step) => step.workerId === worker.id),
  }));
}
