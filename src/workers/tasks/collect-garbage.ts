import type { Task } from 'graphile-worker';
import { deleteUnreferencedBlobs } from '../../domain/database/sql/delete-unreferenced-blobs.ts';
import { deleteUnusedBundles } from '../../domain/database/sql/delete-unused-bundles.ts';
import { unnamedBlobs } from '../../domain/database/sql/unnamed-blobs.ts';
import type { Digest } from '../../domain/storage/blob-store.ts';
import type { WorkerContext } from '../worker-context.ts';

/** Younger blobs may belong to a step that has not named them yet. */
const GRACE_MS = 60 * 60 * 1000;
const PAGE = 1000;

/** Removes bundles that no request names, then blobs that nothing names: rows without a reference, blobs without a row. */
export function collectGarbage(context: WorkerContext): Task {
  return async () => {
    const { database, blobs, logger } = context;
    const bundles = await deleteUnusedBundles(database, GRACE_MS / 1000);
    const unreferenced = await deleteUnreferencedBlobs(database.sql, GRACE_MS / 1000);
    const writtenBefore = new Date(Date.now() - GRACE_MS);
    for (const digest of unreferenced) await blobs.delete(digest, { writtenBefore });
    const orphans = await deleteOrphans(context);
    if (bundles + unreferenced.length + orphans > 0)
      logger.info({ bundles, unreferenced: unreferenced.length, orphans }, 'blobs removed');
  };
}

async function deleteOrphans({ blobs, database }: WorkerContext): Promise<number> {
  const before = Date.now() - GRACE_MS;
  let removed = 0;
  let page: Digest[] = [];
  const flush = async (): Promise<void> => {
    for (const digest of await unnamedBlobs(database.sql, page)) {
      await blobs.delete(digest, { writtenBefore: new Date(before) });
      removed += 1;
    }
    page = [];
  };
  for await (const { digest, writtenAt } of blobs.list()) {
    if (writtenAt.getTime() < before) page.push(digest);
    if (page.length >= PAGE) await flush();
  }
  await flush();
  return removed;
}
