import type { SqlExecutor } from '../sql-executor.ts';
import type { StepPayload } from './add-job.ts';

/**
 * Steps that are queued or running although no job will ever do them: their job failed for good, because it killed its
 * worker again and again. Requests that wait for a place have no jobs yet.
 */
export async function findAbandonedSteps(sql: SqlExecutor): Promise<StepPayload[]> {
  return await sql.query<StepPayload>(
    `select r.id as "requestId", s.id as "stepId", r.attempt as "requestAttempt"
     from bundle_request_steps s join bundle_requests r on r.id = s.request_id
     left join request_queue q on q.request_id = r.id
     where r.state = 'in_progress' and q.is_admitted is not false and s.state in ('queued', 'running')
       and not exists (
         select from graphile_worker.jobs j
         where j.key = 'step:' || s.id and (j.attempts < j.max_attempts or j.locked_at is not null)
       )`,
  );
}
