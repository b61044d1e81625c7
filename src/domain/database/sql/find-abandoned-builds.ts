import type { SqlExecutor } from '../sql-executor.ts';
import type { BuildPayload } from './add-job.ts';

/** Builds with a place of their project that no job will ever do: it ended one worker after the other. */
export async function findAbandonedBuilds(sql: SqlExecutor): Promise<BuildPayload[]> {
  return await sql.query<BuildPayload>(
    `select b.id as "buildId", b.retries from image_builds b
     where b.state in ('queued', 'running') and b.is_admitted
       and not exists (
         select from graphile_worker.jobs j
         where j.key = 'build:' || b.id and (j.attempts < j.max_attempts or j.locked_at is not null)
       )`,
  );
}
