import type { TaskName } from '../../queue/tasks.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import { LIVES, POOLS } from './workers.ts';

export interface WorkerRow {
  id: string;
  host: string;
  pid: number;
  concurrency: number;
  /** The only ones that it takes; null: all. */
  tasks: TaskName[] | null;
  metrics: Record<string, number>;
  startedAt: Date;
  heartbeatAt: Date;
  /** Since when it takes no more jobs; null: it does. */
  drainingAt: Date | null;
}

/** A job of any kind that a worker has. */
export interface RunningJobRow {
  workerId: string;
  task: TaskName;
  attempt: number;
  startedAt: Date;
  /** What it is for. */
  requestId: number | null;
  packageManager: string | null;
  buildId: number | null;
}

export interface RunningStepRow {
  workerId: string;
  requestId: number;
  task: string;
  packageManager: string | null;
  startedAt: Date;
}

export interface RunningBuildRow {
  workerId: string;
  buildId: number;
  startedAt: Date;
}

/** Workers that live, oldest first. */
export async function listWorkers(sql: SqlExecutor): Promise<WorkerRow[]> {
  return await sql.query<WorkerRow>(
    `select id, host, pid, concurrency, tasks, metrics, draining_at as "drainingAt", started_at as "startedAt", heartbeat_at as "heartbeatAt"
     from workers where ${LIVES} order by started_at, id`,
  );
}

/** Jobs that live workers have now, maintenance among them, the oldest first. */
export async function listRunningJobs(sql: SqlExecutor): Promise<RunningJobRow[]> {
  return await sql.query<RunningJobRow>(
    `select w.id as "workerId", j.task_identifier as task, j.attempts as attempt, j.locked_at as "startedAt",
       s.request_id as "requestId", s.package_manager as "packageManager", b.id as "buildId"
     from workers w join graphile_worker.jobs j on j.locked_by = any(${POOLS})
     left join bundle_request_steps s on j.key = 'step:' || s.id
     left join image_builds b on j.key = 'build:' || b.id
     where w.stopped_at is null order by j.locked_at, j.id`,
  );
}

/** Steps that live workers do now. */
export async function listRunningSteps(sql: SqlExecutor): Promise<RunningStepRow[]> {
  return await sql.query<RunningStepRow>(
    `select worker_id as "workerId", request_id as "requestId", task, package_manager as "packageManager",
       started_at as "startedAt"
     from bundle_request_steps where state = 'running' and worker_id is not null order by started_at`,
  );
}

/** Images that live workers build now. */
export async function listRunningBuilds(sql: SqlExecutor): Promise<RunningBuildRow[]> {
  return await sql.query<RunningBuildRow>(
    `select worker_id as "workerId", id as "buildId", started_at as "startedAt"
     from image_builds where state = 'running' and worker_id is not null order by started_at, id`,
  );
}
