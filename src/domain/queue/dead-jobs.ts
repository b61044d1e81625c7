import { retryRequest } from '../bundle-requests/retry.ts';
import type { Settings } from '../config.ts';
import type { Database } from '../database/database.ts';
import {
  type DeadJob,
  deleteDeadJob,
  findDeadJob,
  listDeadJobs,
  reviveJob,
} from '../database/sql/dead-jobs.ts';
import type { IdRange } from '../database/sql/id-range.ts';
import { NotFoundError } from '../errors.ts';
import { type Principal, requireAdmin } from '../identity/principal.ts';
import { retryBuild } from '../images/change-build.ts';

/** Jobs that failed for good, the newest first. For administrators. */
export async function listDead(database: Database, principal: Principal, range: IdRange): Promise<DeadJob[]> {
  requireAdmin(principal);
  return await listDeadJobs(database.sql, range);
}

/**
 * Has the work of a dead job done again: its request or build is retried, as its owner could do, and any other job simply
 * runs again. Throws NotFoundError, and ConflictError when the request or build needs it no more. For administrators.
 */
export async function retryDeadJob(
  database: Database,
  settings: Settings,
  principal: Principal,
  id: number,
): Promise<DeadJob> {
  const job = await requireDead(database, principal, id);
  if (job.requestId !== null) {
    await retryRequest(database, settings, principal, job.requestId);
    await deleteDeadJob(database.sql, id);
  } else if (job.buildId !== null) {
    await retryBuild(database, settings, principal, job.buildId);
    await deleteDeadJob(database.sql, id);
  } else {
    await reviveJob(database.sql, id);
  }
  return job;
}

/** Nobody needs it any more; its request or build stays as it is. For administrators. */
export async function discardDeadJob(database: Database, principal: Principal, id: number): Promise<DeadJob> {
  const job = await requireDead(database, principal, id);
  await deleteDeadJob(database.sql, id);
  return job;
}

async function requireDead(database: Database, principal: Principal, id: number): Promise<DeadJob> {
  requireAdmin(principal);
  const job = await findDeadJob(database.sql, id);
  if (!job) throw new NotFoundError(`There is no dead job ${id}`);
  return job;
}
