import { deleteUnreferencedBlobs } from '../../src/domain/database/sql/delete-unreferenced-blobs.ts';
import type { SqlExecutor } from '../../src/domain/database/sql-executor.ts';
import type { Digest } from '../../src/domain/storage/blob-store.ts';

/** What the collector deletes of the rows of blobs that are older than so many seconds. */
export async function deletedBlobs(sql: SqlExecutor, olderThanSeconds: number): Promise<Digest[]> {
  const digests: Digest[] = [];
  for await (const page of deleteUnreferencedBlobs(sql, olderThanSeconds)) {
    digests.push(...page.map(({ digest }) => digest));
  }
  return digests;
}
