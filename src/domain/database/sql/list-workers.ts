import type { SqlExecutor } from '../sql-executor.ts';

export interface WorkerRow {
  id: string;
  host: string;
  pid: number;
  concurrency: number;
  metrics: Record<string, number>;
  startedAt: Date;
  heartbeatAt: Date;
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
    `select id, host, pid, concurrency, metrics, started_at as "startedAt", heartbeat_at as "heartbeatAt"
     from workers where stopped_at is null order by started_at, id`,
  );
}

/** What live workers do now. */
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
