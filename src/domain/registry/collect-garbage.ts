import type { Database } from '../database/database.ts';
import {
  type DiscardedManifest,
  findDiscardedManifests,
  isStillDiscarded,
} from '../database/sql/discarded-manifests.ts';
import { deleteManifest, lockImage, recordImageEvent } from '../database/sql/registry-manifests.ts';
import { deleteExpiredUploadSessions, presentUploadSessions } from '../database/sql/upload-sessions.ts';
import type { Quantity } from '../garbage/garbage.ts';
import type { StagedBlobs } from '../storage/staged-blobs.ts';

const PAGE = 1_000;

/** Uploads that nobody goes on with, and files whose upload is gone: a gateway was killed between the two. */
export async function removeExpiredUploads(
  database: Database,
  staged: StagedBlobs,
  graceSeconds: number,
): Promise<Quantity> {
  const expired = await deleteExpiredUploadSessions(database.sql, graceSeconds);
  for (const { id, generation } of expired) await staged.remove(`${id}.${generation}`);
  const left = await removeLeftFiles(database, staged, graceSeconds);
  return { items: expired.length + left, bytes: expired.reduce((sum, { size }) => sum + size, 0) };
}

/** Manifests that nobody needs, with their referrers in the next run. A page at a time. */
export async function* discardedManifests(
  database: Database,
  graceSeconds: number,
): AsyncGenerator<DiscardedManifest[]> {
  for (let afterId = 0; ; ) {
    const page = await findDiscardedManifests(database.sql, { graceSeconds, afterId, limit: PAGE });
    if (page.length > 0) yield page;
    if (page.length < PAGE) return;
    afterId = page.at(-1)!.id;
  }
}

/** False: somebody needs it again. */
export async function removeDiscardedManifest(
  database: Database,
  { id, imageId, digest, why }: DiscardedManifest,
  graceSeconds: number,
): Promise<boolean> {
  return await database.transaction(async ({ sql }) => {
    if (!(await lockImage(sql, imageId)) || !(await isStillDiscarded(sql, id, graceSeconds))) return false;
    const data = { digest, reason: why };
    await recordImageEvent(sql, { imageId, type: 'manifest-deleted', data, userId: null });
    return (await deleteManifest(sql, imageId, digest)) !== null;
  });
}

async function removeLeftFiles(
  database: Database,
  staged: StagedBlobs,
  graceSeconds: number,
): Promise<number> {
  const before = Date.now() - graceSeconds * 1000;
  let removed = 0;
  let names: string[] = [];
  const flush = async (): Promise<void> => {
    const present = await presentUploadSessions(database.sql, names.map(idOf));
    for (const name of names.filter((one) => !present.has(idOf(one)))) {
      await staged.remove(name);
      removed += 1;
    }
    names = [];
  };
  for await (const { name, writtenAt } of staged.list()) {
    if (writtenAt.getTime() < before) names.push(name);
    if (names.length >= PAGE) await flush();
  }
  if (names.length > 0) await flush();
  return removed;
}

/** Names are `<id>.<generation>`. */
function idOf(name: string): string {
  return name.slice(0, name.indexOf('.'));
}
