import type { Database } from '../database/database.ts';
import {
  deleteUnreferencedBlobs,
  findRemovedBlobs,
  forgetRemovedBlobs,
} from '../database/sql/delete-unreferenced-blobs.ts';
import { deleteUnusedBundles } from '../database/sql/delete-unused-bundles.ts';
import {
  finishGarbageRun,
  forgetGarbageRuns,
  type GarbageRun,
  renewGarbageRun,
  startGarbageRun,
} from '../database/sql/garbage-runs.ts';
import { removeUnnamedImageBlobs } from '../database/sql/image-blobs.ts';
import { removeUnusedImages } from '../database/sql/remove-unused-images.ts';
import { unnamedBlobs } from '../database/sql/unnamed-blobs.ts';
import {
  discardedManifests,
  removeDiscardedManifest,
  removeExpiredUploads,
} from '../registry/collect-garbage.ts';
import { retiredTags, retireTag } from '../registry/retention.ts';
import type { BlobStore, Digest } from '../storage/blob-store.ts';
import { openStagedBlobs } from '../storage/staged-blobs.ts';
import type { Garbage, GarbageKind, Grace } from './garbage.ts';
import { sparingRunningRequests } from './running-requests.ts';

export interface Collector {
  database: Database;
  blobs: BlobStore;
  grace: Grace;
  /** Whether to look through the whole store for files that nothing ever named; costs a look at every file. */
  strayFiles: boolean;
  signal?: AbortSignal;
}

/**
 * One run of the one collector of the store (oci-registry.md 10). It stops nobody: each thing is removed in a short
 * transaction that looks again first, and what somebody may be about to use is left alone for the grace period. A run that
 * is killed leaves nothing that the next one does not find. null: another run is under way.
 */
export async function collectGarbage(
  collector: Collector,
): Promise<Pick<GarbageRun, 'id' | 'removed'> | null> {
  const { sql } = collector.database;
  const id = await startGarbageRun(sql);
  if (id === null) return null;
  const grace = await sparingRunningRequests(sql, collector.grace);
  const run = new Run({ ...collector, grace }, id);
  try {
    for (const step of STEPS) await step(run);
    await finishGarbageRun(sql, { id, removed: run.removed, error: null });
    await forgetGarbageRuns(sql);
  } catch (error) {
    await finishGarbageRun(sql, { id, removed: run.removed, error: (error as Error).message });
    throw error;
  }
  return { id, removed: run.removed };
}

/** What names first, then what is named: so that one run gets as far as it can. */
const STEPS: readonly ((run: Run) => Promise<void>)[] = [
  expireUploads,
  retireTags,
  removeManifests,
  removeImageBlobs,
  removeEmptyImages,
  removeUnusedBundles,
  removeBytes,
  removeStrayFiles,
];

async function expireUploads(run: Run): Promise<void> {
  const { database, blobs, grace } = run.collector;
  const { items, bytes } = await removeExpiredUploads(database, openStagedBlobs(blobs), grace.uploads);
  await run.count('uploads', items, bytes);
}

async function retireTags(run: Run): Promise<void> {
  const { database } = run.collector;
  for await (const tags of retiredTags(database)) {
    for (const tag of tags) if (await retireTag(database, tag)) await run.count('retiredTags', 1);
  }
}

async function removeManifests(run: Run): Promise<void> {
  const { database, grace } = run.collector;
  for await (const page of discardedManifests(database, grace.content)) {
    for (const manifest of page) {
      if (!(await removeDiscardedManifest(database, manifest, grace.content))) continue;
      await run.count(manifest.why === 'untagged' ? 'untaggedManifests' : 'orphanedReferrers', 1);
    }
  }
}

async function removeImageBlobs(run: Run): Promise<void> {
  const { database, grace } = run.collector;
  await run.count('unusedImageBlobs', await removeUnnamedImageBlobs(database.sql, grace.content));
}

async function removeEmptyImages(run: Run): Promise<void> {
  const { database, grace } = run.collector;
  await run.count('emptyImages', await removeUnusedImages(database, grace.images));
}

async function removeUnusedBundles(run: Run): Promise<void> {
  const { database, grace } = run.collector;
  await run.count('unusedBundles', await deleteUnusedBundles(database, grace.content));
}

async function removeBytes(run: Run): Promise<void> {
  const { database, grace } = run.collector;
  for await (const page of deleteUnreferencedBlobs(database.sql, grace.bytes)) {
    const bytes = page.reduce((sum, { size }) => sum + size, 0);
    await run.count('unnamedBlobs', page.length, bytes);
    await removeFiles(run);
  }
  // What a run that was killed has left.
  await removeFiles(run);
}

async function removeFiles({ collector: { database, blobs, grace }, signal }: Run): Promise<void> {
  for (;;) {
    const writtenBefore = new Date(Date.now() - grace.bytes * 1000);
    const digests = await findRemovedBlobs(database.sql, PAGE);
    if (digests.length === 0) return;
    for (const digest of digests) {
      signal?.throwIfAborted();
      // Somebody who has written it since then is about to name it.
      await blobs.delete(digest, { writtenBefore });
    }
    await forgetRemovedBlobs(database.sql, digests);
  }
}

/** Files that were written and never named: their process was killed. */
async function removeStrayFiles(run: Run): Promise<void> {
  const { database, blobs, grace, strayFiles } = run.collector;
  if (!strayFiles) return;
  let page = new Map<Digest, number>();
  let writtenBefore = new Date(Date.now() - grace.bytes * 1000);
  const flush = async (): Promise<void> => {
    let bytes = 0;
    const strays = await unnamedBlobs(database.sql, [...page.keys()]);
    for (const digest of strays) {
      await blobs.delete(digest, { writtenBefore });
      bytes += page.get(digest)!;
    }
    await run.count('strayFiles', strays.length, bytes);
    page = new Map();
    writtenBefore = new Date(Date.now() - grace.bytes * 1000);
  };
  for await (const { digest, size, writtenAt } of blobs.list()) {
    run.signal?.throwIfAborted();
    if (writtenAt < writtenBefore) page.set(digest, size);
    if (page.size >= PAGE) await flush();
  }
  await flush();
}

const PAGE = 1_000;
const RENEW_MS = 1_000;

/** Counts what is removed, and says every now and then that the run lives. */
class Run {
  readonly collector: Collector;
  readonly removed: Garbage = {};
  readonly #id: number;
  #renewedAt = Date.now();

  constructor(collector: Collector, id: number) {
    this.collector = collector;
    this.#id = id;
  }

  get signal(): AbortSignal | undefined {
    return this.collector.signal;
  }

  async count(kind: GarbageKind, items: number, bytes = 0): Promise<void> {
    if (items > 0) {
      const { [kind]: before = { items: 0, bytes: 0 } } = this.removed;
      this.removed[kind] = { items: before.items + items, bytes: before.bytes + bytes };
    }
    this.signal?.throwIfAborted();
    if (Date.now() - this.#renewedAt < RENEW_MS) return;
    this.#renewedAt = Date.now();
    const isOurs = await renewGarbageRun(this.collector.database.sql, this.#id, this.removed);
    if (!isOurs) throw new Error('the run was taken for dead');
  }
}
