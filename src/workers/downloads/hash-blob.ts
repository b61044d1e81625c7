import { createHash } from 'node:crypto';
import type { BlobStore, Digest } from '../../domain/storage/blob-store.ts';
import type { HashAlgorithm } from './artifact-store.ts';

/** Reads a blob once for digests that nobody asked for when it was stored. */
export async function hashBlob(
  blobs: BlobStore,
  digest: Digest,
  algorithms: readonly HashAlgorithm[],
): Promise<Partial<Record<HashAlgorithm, string>>> {
  const hashes = algorithms.map((algorithm) => [algorithm, createHash(algorithm)] as const);
  for await (const chunk of blobs.read(digest)) {
    for (const [, hash] of hashes) hash.update(chunk as Buffer);
  }
  return Object.fromEntries(hashes.map(([algorithm, hash]) => [algorithm, hash.digest('hex')]));
}
