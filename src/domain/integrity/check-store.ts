import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import type { Database } from '../database/database.ts';
import {
  blobRows,
  markDamagedBlobs,
  markWholeBlobs,
  restoreWholeBundles,
  usersOfBlobs,
} from '../database/sql/damaged-blobs.ts';
import { NotFoundError } from '../errors.ts';
import type { BlobStore, Digest } from '../storage/blob-store.ts';

interface DamagedBlob {
  digest: Digest;
  problem: 'changed' | 'missing' | 'unreadable';
  /** What names it, as a person would look for it. */
  usedBy: string[];
}

export interface StoreReport {
  blobs: number;
  bytes: number;
  damaged: DamagedBlob[];
  /** Digests of bundles that are not served any more since now. */
  damagedBundles: Digest[];
  /** Bundles that were damaged and are whole again: they are served again. */
  restoredBundles: Digest[];
}

interface CheckOptions {
  database: Database;
  blobs: BlobStore;
  /** Nothing is marked, nothing moved. */
  reportOnly: boolean;
  signal?: AbortSignal;
  onProgress?: (progress: { blobs: number; bytes: number }) => void;
}

/**
 * Reads every blob of the store and hashes it again; looks for those that are named and not there. What is damaged is set
 * aside and marked: nobody is given it any more, and whoever uploads or fetches the same again makes it whole. Nothing else
 * is healed. What was damaged and is whole (an operator brought it back) is given out again.
 */
export async function checkStore(options: CheckOptions): Promise<StoreReport> {
  const { database, blobs, reportOnly } = options;
  const progress = { blobs: 0, bytes: 0 };
  const problems = new Map<Digest, DamagedBlob['problem']>();
  for await (const { digest, size } of blobs.list()) {
    const problem = await problemOf(options, digest);
    if (problem !== null) problems.set(digest, problem);
    progress.blobs += 1;
    progress.bytes += size;
    options.onProgress?.(progress);
  }
  const whole: Digest[] = [];
  for await (const row of blobRows(database.sql)) {
    options.signal?.throwIfAborted();
    if (problems.has(row.digest)) continue;
    const size = await blobs.size(row.digest);
    if (size === null && (await isStillNamed(database, row.digest))) problems.set(row.digest, 'missing');
    if (size === row.size && row.isDamaged) whole.push(row.digest);
  }
  const report = { ...progress, damaged: await described(database, problems) };
  if (reportOnly) return { ...report, damagedBundles: [], restoredBundles: [] };
  for (const [digest, problem] of problems) if (problem !== 'missing') await blobs.setAside(digest);
  const damagedBundles = await markDamagedBlobs(database.sql, [...problems.keys()]);
  await markWholeBlobs(database.sql, [...whole, ...(await writtenMeanwhile(blobs, problems))]);
  return { ...report, damagedBundles, restoredBundles: await restoreWholeBundles(database.sql) };
}

/** null: it is whole, or was removed just now. */
async function problemOf(
  { blobs, signal }: CheckOptions,
  digest: Digest,
): Promise<'changed' | 'unreadable' | null> {
  const hash = createHash('sha256');
  try {
    await pipeline(blobs.read(digest), hash, signal ? { signal } : {});
  } catch (error) {
    signal?.throwIfAborted();
    return error instanceof NotFoundError ? null : 'unreadable';
  }
  return `sha256:${hash.digest('hex')}` === digest ? null : 'changed';
}

/** Somebody who came between has written it again, whole. */
async function writtenMeanwhile(
  blobs: BlobStore,
  problems: ReadonlyMap<Digest, DamagedBlob['problem']>,
): Promise<Digest[]> {
  const written: Digest[] = [];
  for (const digest of problems.keys()) if ((await blobs.size(digest)) !== null) written.push(digest);
  return written;
}

async function isStillNamed({ sql }: Database, digest: Digest): Promise<boolean> {
  return (await sql.query('select 1 from blobs where digest = $1', [digest])).length > 0;
}

async function described(
  { sql }: Database,
  problems: ReadonlyMap<Digest, DamagedBlob['problem']>,
): Promise<DamagedBlob[]> {
  const users = await usersOfBlobs(sql, [...problems.keys()]);
  return [...problems].map(([digest, problem]) => ({ digest, problem, usedBy: users.get(digest) ?? [] }));
}
