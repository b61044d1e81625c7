import type { Database } from '../database/database.ts';
import {
  deletePausedTask,
  insertPausedTask,
  listPausedTasks,
  type PausedTask,
} from '../database/sql/paused-tasks.ts';
import { readQueueStatistics } from '../database/sql/queue-statistics.ts';
import { InvalidInputError } from '../errors.ts';
import { type Principal, requireAdmin } from '../identity/principal.ts';
import { TASKS, type TaskName } from './tasks.ts';

/** One task of the queue: how many of its jobs there are, and whether workers take them. */
export interface TaskQueue {
  task: TaskName;
  ready: number;
  /** Later, or again after a failure. */
  scheduled: number;
  running: number;
  /** For good: see dead-jobs.ts. */
  failed: number;
  /** Requests without a place of their project, which have no jobs yet. */
  waiting: number;
  /** Seconds since the oldest one could have run. */
  oldestSeconds: number;
  pause: PausedTask | null;
}

/** Every task, in the order in which a request meets them. For administrators. */
export async function findTaskQueues(database: Database, principal: Principal): Promise<TaskQueue[]> {
  requireAdmin(principal);
  const [rows, pauses] = await Promise.all([
    readQueueStatistics(database.sql),
    listPausedTasks(database.sql),
  ]);
  return TASKS.map((task) => {
    const find = (state: string) => rows.find((row) => row.task === task && row.state === state);
    const count = (state: string): number => find(state)?.count ?? 0;
    return {
      task,
      ready: count('ready'),
      scheduled: count('scheduled'),
      running: count('running'),
      failed: count('failed'),
      waiting: count('waiting'),
      oldestSeconds: find('ready')?.age ?? 0,
      pause: pauses.find((pause) => pause.task === task) ?? null,
    };
  });
}

/** Workers begin no more jobs of the task; those that run go on. For administrators. Idempotent. */
export async function pauseTask(
  database: Database,
  principal: Principal,
  name: string,
  reason: string | null,
): Promise<void> {
  requireAdmin(principal);
  const task = requireTask(name);
  if (reason !== null && reason.length > LONGEST_REASON) {
    throw new InvalidInputError(`The reason must have at most ${LONGEST_REASON} characters`);
  }
  await insertPausedTask(database.sql, { task, reason, userId: principal.userId });
}

/** For administrators. Idempotent. */
export async function resumeTask(database: Database, principal: Principal, name: string): Promise<void> {
  requireAdmin(principal);
  await deletePausedTask(database.sql, requireTask(name));
}

const LONGEST_REASON = 500;

function requireTask(name: string): TaskName {
  const task = TASKS.find((known) => known === name);
  if (task) return task;
  throw new InvalidInputError(`"${name.slice(0, 60)}" is not a task; tasks are ${TASKS.join(', ')}`);
}
