import type { Database } from '../database/database.ts';
import { findGarbage, findStrayBytes, findUnnamedBytes } from '../database/sql/find-garbage.ts';
import { discardedManifests } from '../registry/collect-garbage.ts';
import { retiredTags } from '../registry/retention.ts';
import type { BlobStore, Digest } from '../storage/blob-store.ts';
import { GARBAGE, type GarbageKind, type Grace, type Quantity } from './garbage.ts';
import { sparingRunningRequests } from './running-requests.ts';

export interface ExplainedGarbage extends Quantity {
  kind: GarbageKind;
  why: string;
  /** Some of them. */
  examples: string[];
}

const MOST_EXAMPLES = 10;
const PAGE = 1_000;

/**
 * What a run of the collector would remove now, and why; nothing is changed. What is only free once these are gone follows
 * in later runs, after the grace period of each.
 */
export async function explainGarbage({
  database,
  blobs,
  grace: wanted,
}: {
  database: Database;
  blobs: BlobStore;
  grace: Grace;
}): Promise<{
  garbage: ExplainedGarbage[];
  /** Bytes that go when a grace period is over, unless somebody names them. */
  waiting: Quantity;
}> {
  const grace = await sparingRunningRequests(database.sql, wanted);
  const found = new Map<GarbageKind, ExplainedGarbage>();
  const note = (kind: GarbageKind, example: string, bytes = 0): void => {
    const one = found.get(kind) ?? { kind, why: GARBAGE[kind], items: 0, bytes: 0, examples: [] };
    one.items += 1;
    one.bytes += bytes;
    if (one.examples.length < MOST_EXAMPLES) one.examples.push(example);
    found.set(kind, one);
  };
  for await (const tags of retiredTags(database)) {
    for (const { path, tag, pushedAt } of tags) {
      note('retiredTags', `${path}:${tag}, pushed ${pushedAt.toISOString()}`);
    }
  }
  for await (const page of discardedManifests(database, grace.content)) {
    for (const { path, digest, why } of page) {
      note(why === 'untagged' ? 'untaggedManifests' : 'orphanedReferrers', `${path}@${digest}`);
    }
  }
  for (const { kind, name, bytes } of await findGarbage(database.sql, grace)) note(kind, name, bytes);
  for await (const { digest, size } of strayFiles(database, blobs, grace)) note('strayFiles', digest, size);
  const garbage = Object.keys(GARBAGE).flatMap((kind) => found.get(kind as GarbageKind) ?? []);
  const { items = 0, bytes = 0 } = found.get('unnamedBlobs') ?? {};
  const all = await findUnnamedBytes(database.sql);
  return { garbage, waiting: { items: all.items - items, bytes: all.bytes - bytes } };
}

async function* strayFiles(
  database: Database,
  blobs: BlobStore,
  grace: Grace,
): AsyncGenerator<{ digest: Digest; size: number }> {
  const writtenBefore = new Date(Date.now() - grace.bytes * 1000);
  let page: { digest: Digest; size: number }[] = [];
  for await (const { digest, size, writtenAt } of blobs.list()) {
    if (writtenAt < writtenBefore) page.push({ digest, size });
    if (page.length < PAGE) continue;
    yield* await findStrayBytes(database.sql, page);
    page = [];
  }
  yield* await findStrayBytes(database.sql, page);
}
