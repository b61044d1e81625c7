import { taskFlag } from '../../queue/tasks.ts';
import { currentSpan } from '../../tracing/span.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** Tasks and their payloads, in which {@link TracedPayload} may be; the workers implement one file for each. */
export interface TaskPayloads {
  'fetch-source': StepPayload;
  'resolve-packages': StepPayload;
  'assemble-bundle': StepPayload;
  'compact-log': { subjectType: string; subjectId: number };
  'expire-requests': Record<string, never>;
  'expire-uploads': Record<string, never>;
  'collect-garbage': Record<string, never>;
  'apply-retention': Record<string, never>;
  'read-sbom': { manifestId: number };
  'build-image': BuildPayload;
}

/** The trace that a job belongs to, where there is one. */
export interface TracedPayload {
  traceparent?: string;
}

/** A job of one step; `requestAttempt` fences jobs of an attempt that was cancelled or retried since. */
export interface StepPayload {
  requestId: number;
  stepId: number;
  requestAttempt: number;
}

/** A job of one build; `retries` fences jobs from before the last retry. */
export interface BuildPayload {
  buildId: number;
  retries: number;
}

export interface JobOptions {
  /** One waiting job for each key; a second one replaces it. */
  key: string;
  /** Lower runs first; default 0. */
  priority?: number;
  runAt?: Date;
  /** What a worker must not have forbidden itself besides the task, see LOCAL_SOURCE_JOB. */
  flags?: readonly string[];
  /** Of what the job is done for; null: it is not traced. Default: what adds it. */
  traceparent?: string | null;
}

/** Flag of the jobs of a request whose source is a path: for workers that allow the protocol `file`. */
export const LOCAL_SOURCE_JOB = 'local-source';

/** Adds a job in the caller's transaction: it exists exactly when the state that it belongs to does. */
export async function addJob<Task extends keyof TaskPayloads>(
  sql: SqlExecutor,
  task: Task,
  payload: TaskPayloads[Task],
  options: JobOptions,
): Promise<void> {
  await sql.query(
    `select (graphile_worker.add_job(
       identifier := $1, payload := $2::json, job_key := $3, priority := $4, run_at := $5, max_attempts := $6,
       flags := $7::text[]
     )).id`,
    [
      task,
      JSON.stringify(tracedPayload(payload, options)),
      options.key,
      options.priority ?? 0,
      options.runAt ?? null,
      MOST_ATTEMPTS,
      [taskFlag(task), ...(options.flags ?? [])],
    ],
  );
}

function tracedPayload(
  payload: object,
  { traceparent = currentSpan()?.traceparent ?? null }: JobOptions,
): object {
  return traceparent === null ? payload : ({ ...payload, traceparent } satisfies TracedPayload);
}

/** Each crash of a worker counts as an attempt; a job that kills so many workers is not worth another one. */
const MOST_ATTEMPTS = 8;
