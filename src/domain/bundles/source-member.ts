import type { SourceTree } from '../sources/source-tree.ts';
import type { BlobStore, Digest, StoredBlob } from '../storage/blob-store.ts';
import { digestOf } from '../storage/digest-of.ts';
import { tarEntry } from './archive-layout.ts';
import { type BundleContents, isSourceEntry, manifestText } from './bundle-manifest.ts';
import { compressedMembers, WRITER_VERSION } from './deterministic-gzip.ts';
import { tarHeader, tarPadding } from './deterministic-tar.ts';

/** Compressed source parts by the digest of what they hold. */
export interface SourceMemberCache {
  find(listingDigest: Digest, writerVersion: string, signal: AbortSignal): Promise<StoredBlob | null>;
  insert(listingDigest: Digest, writerVersion: string, member: StoredBlob): Promise<void>;
}

export interface SourceMemberOptions {
  blobs: BlobStore;
  source: SourceTree;
  sourceMembers: SourceMemberCache;
  signal: AbortSignal;
}

/** What the compressed part of a bundle's source depends on: paths, modes and digests below `app/`. */
export function sourceListing({ manifest }: BundleContents): Digest {
  return digestOf(manifestText({ ...manifest, entries: manifest.entries.filter(isSourceEntry) }));
}

/** The compressed `app/` part, from the cache when the same listing was compressed before. */
export async function sourceMember(
  options: SourceMemberOptions,
  contents: BundleContents,
): Promise<StoredBlob> {
  const { blobs, sourceMembers, signal } = options;
  const listing = sourceListing(contents);
  const cached = await sourceMembers.find(listing, WRITER_VERSION, signal);
  if (cached && (await blobs.size(cached.digest)) !== null) return cached;
  const member = await blobs.write(compressedMembers(sourceTar(options, contents)), { signal });
  await sourceMembers.insert(listing, WRITER_VERSION, member);
  return member;
}

const SMALL_FILE = 1024 * 1024;

/** The tar of the source part, without the end of the archive. */
async function* sourceTar(
  { blobs, source, signal }: SourceMemberOptions,
  { manifest, contents }: BundleContents,
): AsyncGenerator<Uint8Array> {
  for (const entry of manifest.entries) {
    if (!isSourceEntry(entry)) continue;
    signal.throwIfAborted();
    yield tarHeader(tarEntry(entry), manifest.time);
    const content = contents.get(entry.path);
    if (!content || entry.size === 0) continue;
    if (content.kind === 'blob') yield* blobs.read(content.digest);
    else yield* sourceFile(source, content.path, entry.size);
    const padding = tarPadding(entry.size);
    if (padding > 0) yield Buffer.alloc(padding);
  }
}

async function* sourceFile(source: SourceTree, path: string, size: number): AsyncGenerator<Uint8Array> {
  if (size <= SMALL_FILE) yield await source.read(path);
  else yield* source.open(path);
}
