import { CHANNEL } from '../../events/event.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** Raises the repository's version and writes the event under it. */
export async function recordRepositoryEvent(
  sql: SqlExecutor,
  event: { repositoryId: number; type: string; data: object },
): Promise<void> {
  await sql.query(
    `with repository as (
       update repositories set version = version + 1 where id = $1 returning version
     ), recorded as (
       insert into events (subject_type, subject_id, version, type, data)
       select 'repository', $1, version, $2, $3::jsonb from repository
     )
     select pg_notify('${CHANNEL}', 'repository:' || $1) from repository`,
    [event.repositoryId, event.type, JSON.stringify(event.data)],
  );
}
