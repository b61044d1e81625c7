import { createHash } from 'node:crypto';
import type { BlobStore, Digest } from './blob-store.ts';

/** Those of the blobs that are missing, or have other bytes than their digests say. Reads all of them. */
export async function damagedBlobs(
  blobs: BlobStore,
  digests: readonly Digest[],
  signal?: AbortSignal,
): Promise<Digest[]> {
  const damaged: Digest[] = [];
  for (const digest of digests) {
    signal?.throwIfAborted();
    if (!(await isWhole(blobs, digest, signal))) damaged.push(digest);
  }
  return damaged;
}

async function isWhole(blobs: BlobStore, digest: Digest, signal?: AbortSignal): Promise<boolean> {
  if ((await blobs.size(digest)) === null) return false;
  const hash = createHash('sha256');
  try {
    for await (const chunk of blobs.read(digest)) {
      signal?.throwIfAborted();
      hash.update(chunk as Buffer);
    }
  } catch (error) {
    signal?.throwIfAborted();
    // Gone meanwhile, or on a disk that cannot read it any more.
    if (error instanceof Error) return false;
    throw error;
  }
  return `sha256:${hash.digest('hex')}` === digest;
}
