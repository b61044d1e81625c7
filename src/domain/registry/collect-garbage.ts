import type { Database } from '../database/database.ts';
import { removeUnnamedImageBlobs } from '../database/sql/image-blobs.ts';
import { removeUnusedImages } from '../database/sql/remove-unused-images.ts';
import { deleteExpiredUploadSessions, presentUploadSessions } from '../database/sql/upload-sessions.ts';
import type { StagedBlobs } from '../storage/staged-blobs.ts';

/** How long what looks unused stays, in seconds (oci-registry.md 4, 10). */
export interface RegistryGrace {
  /** Blobs that no manifest names: a push may be about to. */
  blobs: number;
  /** Uploads that nobody goes on with. */
  uploads: number;
  /** Images without anything in them. */
  images: number;
}

export interface RegistryGarbage {
  uploads: number;
  blobs: number;
  images: number;
}

const HOUR = 3600;
export const REGISTRY_GRACE: RegistryGrace = { blobs: HOUR, uploads: 24 * HOUR, images: 24 * HOUR };

/**
 * Lets go of what nobody uses: expired uploads, visibility of blobs that no manifest of their image names, empty images.
 * It blocks no push, and none of it is named by anything; bytes that nothing names any more are collected with all others
 * (src/workers/tasks/collect-garbage.ts).
 */
export async function collectRegistryGarbage(
  { database, staged }: { database: Database; staged: StagedBlobs },
  grace: RegistryGrace = REGISTRY_GRACE,
): Promise<RegistryGarbage> {
  const { sql } = database;
  const expired = await deleteExpiredUploadSessions(sql, grace.uploads);
  for (const { id, generation } of expired) await staged.remove(`${id}.${generation}`);
  await removeLeftFiles(database, staged, grace.uploads);
  const blobs = await removeUnnamedImageBlobs(sql, grace.blobs);
  const images = await removeUnusedImages(sql, grace.images);
  return { uploads: expired.length, blobs, images };
}

const PAGE = 1_000;

/** Files whose upload is gone: a gateway was killed between the two. */
async function removeLeftFiles(database: Database, staged: StagedBlobs, graceSeconds: number): Promise<void> {
  const before = Date.now() - graceSeconds * 1000;
  let names: string[] = [];
  const flush = async (): Promise<void> => {
    const present = await presentUploadSessions(database.sql, names.map(idOf));
    for (const name of names) if (!present.has(idOf(name))) await staged.remove(name);
    names = [];
  };
  for await (const { name, writtenAt } of staged.list()) {
    if (writtenAt.getTime() < before) names.push(name);
    if (names.length >= PAGE) await flush();
  }
  if (names.length > 0) await flush();
}

/** Names are `<id>.<generation>`. */
function idOf(name: string): string {
  return name.slice(0, name.indexOf('.'));
}
