import type { Task } from 'graphile-worker';
import { deleteUnreferencedBlobs } from '../../domain/database/sql/delete-unreferenced-blobs.ts';
import { deleteUnusedBundles } from '../../domain/database/sql/delete-unused-bundles.ts';
import { unnamedBlobs } from '../../domain/database/sql/unnamed-blobs.ts';
import type { Digest } from '../../domain/storage/blob-store.ts';
import type { WorkerContext } from '../worker-context.ts';

/** Younger blobs may belong to a step that has not named them yet. */
const GRACE_MS = 60 * 60 * 1000;
/** The row of a blob that is stored again may be so much older than that; see record-blobs.ts. */
const REFRESHED_MS = 10 * 60 * 1000;
const PAGE = 1000;

/** Removes bundles that no request names, then blobs that nothing names: rows without a reference, blobs without a row. */
export function collectGarbage(context: WorkerContext): Task {
  return async () => {
    const { database, blobs, logger } = context;
    const bundles = await deleteUnusedBundles(database, GRACE_MS / 1000);
    const graceMs = await graceOf(context);
    const unreferenced = await deleteUnreferencedBlobs(database.sql, graceMs / 1000);
    const writtenBefore = new Date(Date.now() - graceMs);
    for (const digest of unreferenced) await blobs.delete(digest, { writtenBefore });
    const orphans = await deleteOrphans(context, writtenBefore);
    if (bundles + unreferenced.length + orphans > 0)
      logger.info({ bundles, unreferenced: unreferenced.length, orphans }, 'blobs removed');
  };
}

/**
 * What a request has stored is named for good at its end only, and until then by the result of a step, of which nothing
 * is known here: nothing is removed that came after the oldest request that is still at work.
 */
async function graceOf({ database }: WorkerContext): Promise<number> {
  const [oldest] = await database.sql.query<{ seconds: number | null }>(
    `select extract(epoch from now() - min(created_at))::float8 as seconds
     from bundle_requests where state = 'in_progress'`,
  );
  return Math.max(GRACE_MS, (oldest?.seconds ?? 0) * 1000 + REFRESHED_MS);
}

async function deleteOrphans({ blobs, database }: WorkerContext, writtenBefore: Date): Promise<number> {
  let removed = 0;
  let page: Digest[] = [];
  const flush = async (): Promise<void> => {
    for (const digest of await unnamedBlobs(database.sql, page)) {
      await blobs.delete(digest, { writtenBefore });
      removed += 1;
    }
    page = [];
  };
  for await (const { digest, writtenAt } of blobs.list()) {
    if (writtenAt < writtenBefore) page.push(digest);
    if (page.length >= PAGE) await flush();
  }
  await flush();
  return removed;
}
