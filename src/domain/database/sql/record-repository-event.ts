import type { SqlExecutor } from '../sql-executor.ts';
import { recordVersionedEvent } from './record-versioned-event.ts';

/** Raises the repository's version and writes the event under it. */
export async function recordRepositoryEvent(
  sql: SqlExecutor,
  { repositoryId, ...event }: { repositoryId: number; type: string; data: object },
): Promise<void> {
  await recordVersionedEvent(sql, { type: 'repository', id: repositoryId }, event);
}
