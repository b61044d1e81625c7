import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { Git } from './git-command.ts';

/**
 * Writes a pack of one commit, its trees and its blobs, without its history. No deltas and one thread: the same bytes
 * wherever the same git (and zlib) writes it.
 */
export async function packCommit(
  git: Git,
  gitDirectory: string,
  commit: string,
  file: string,
): Promise<void> {
  const listing = git.stream(
    ['rev-list', '--objects', '--no-walk', '--no-object-names', '--end-of-options', commit],
    { gitDirectory },
  );
  listing.stdin.end();
  const packing = git.stream(
    ['pack-objects', '--quiet', '--stdout', '--window=0', '--no-reuse-delta', '--no-reuse-object'],
    { gitDirectory, config: ['pack.threads=1', 'pack.compression=6', 'pack.packSizeLimit=0'] },
  );
  // All of them end before another try may write the same file.
  const ends = await Promise.allSettled([
    listing.done,
    packing.done,
    pipeline(listing.stdout, packing.stdin),
    pipeline(packing.stdout, createWriteStream(file)),
  ]);
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed) throw failed.reason;
}

/** Writes the `.idx` of a pack. Needs no repository. */
export async function indexPack(git: Git, pack: string, index: string): Promise<void> {
  await git.run(['index-pack', '--index-version=2', '-o', index, pack], {
    config: ['pack.writeReverseIndex=false'],
  });
}
