import { ValidationError } from '../../domain/errors.ts';
import type { Flag } from '../../domain/packages/package.ts';
import { omitEntries, openSnapshot } from '../../domain/sources/source-snapshot.ts';
import type { SourceTree } from '../../domain/sources/source-tree.ts';
import { unsafeLinks } from '../../domain/sources/unsafe-links.ts';
import type { BlobStore, Digest, StoredBlob } from '../../domain/storage/blob-store.ts';
import { shortList } from './fetched-source.ts';

/** A snapshot whose links all stay inside. */
export interface SafeSnapshot {
  snapshot: Digest;
  tree: SourceTree;
  warnings: string[];
  /** What was written when links had to be left out. */
  rewritten: { index: StoredBlob; pack: Digest } | null;
}

/**
 * Links that leave the tree fail the request, or are left out with the flag `remove-unsafe-symlinks`. Loops lead nowhere
 * and stay (cachito.md 4.2).
 */
export async function withSafeLinks(
  blobs: BlobStore,
  snapshot: Digest,
  flags: readonly Flag[],
): Promise<SafeSnapshot> {
  const tree = await openSnapshot(blobs, snapshot);
  const unsafe = unsafeLinks(tree);
  if (unsafe.length === 0) return { snapshot, tree, warnings: [], rewritten: null };
  if (!flags.includes('remove-unsafe-symlinks')) {
    throw new ValidationError(
      'path-outside-root',
      `The destination of '${unsafe[0]}' is outside of cloned repository`,
      {
        details: { links: unsafe },
        hint: 'Remove the link, or use the flag remove-unsafe-symlinks.',
      },
    );
  }
  const rewritten = await omitEntries(blobs, snapshot, new Set(unsafe));
  return {
    snapshot: rewritten.index.digest,
    tree: await openSnapshot(blobs, rewritten.index.digest),
    warnings: [`Removed symbolic links that leave the source: ${shortList(unsafe)}`],
    rewritten,
  };
}
