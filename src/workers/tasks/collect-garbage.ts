import type { Task } from 'graphile-worker';
import { deleteUnreferencedBlobs } from '../../domain/database/sql/delete-unreferenced-blobs.ts';
import { unnamedBlobs } from '../../domain/database/sql/unnamed-blobs.ts';
import { collectRegistryGarbage } from '../../domain/registry/collect-garbage.ts';
import type { Digest } from '../../domain/storage/blob-store.ts';
import { openStagedBlobs } from '../../domain/storage/staged-blobs.ts';
import type { WorkerContext } from '../worker-context.ts';

/** Younger blobs may belong to a step that has not named them yet. */
const GRACE_MS = 60 * 60 * 1000;
const PAGE = 1000;

/** Removes what the registry lets go, then blobs that nothing names: rows without a reference, and blobs without a row. */
export function collectGarbage(context: WorkerContext): Task {
  return async () => {
    const { database, blobs, logger } = context;
    const registry = await collectRegistryGarbage({ database, staged: openStagedBlobs(blobs) });
    const unreferenced = await deleteUnreferencedBlobs(database.sql, GRACE_MS / 1000);
    const writtenBefore = new Date(Date.now() - GRACE_MS);
    for (const digest of unreferenced) await blobs.delete(digest, { writtenBefore });
    const orphans = await deleteOrphans(context);
    if (unreferenced.length + orphans > 0)
      logger.info({ unreferenced: unreferenced.length, orphans, registry }, 'blobs removed');
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
