import type { BundleFacts, BundleRow } from '../database/sql/find-bundle.ts';
import { FileAccessError, InvalidRequestData } from '../errors.ts';
import type { BlobStore, Digest, StoredBlob } from '../storage/blob-store.ts';
import { damagedBlobs } from '../storage/damaged-blobs.ts';
import { digestOf } from '../storage/digest-of.ts';
import { ArchiveDigests } from './archive-digests.ts';
import { endPart, entryPart, type Piece } from './archive-layout.ts';
import { labelledBytes } from './archive-reader.ts';
import {
  type BundleContents,
  type BundleManifest,
  type BundleParts,
  isSourceEntry,
  layOutBundle,
  type ManifestEntry,
  manifestText,
} from './bundle-manifest.ts';
import { WRITER_VERSION } from './deterministic-gzip.ts';
import type { DigestsAhead } from './digests-ahead.ts';
import { reproducibleDigest } from './reproducible-part.ts';
import { type SourceMemberCache, sourceMember } from './source-member.ts';

export interface AssemblyOptions extends BundleParts {
  blobs: BlobStore;
  /** The row of a bundle that was made before: nothing is computed again then, unless it is damaged. */
  known(manifestDigest: Digest): Promise<BundleRow | null>;
  sourceMembers: SourceMemberCache;
  /** What was computed while the files were being fetched. */
  ahead?: DigestsAhead | null;
  signal: AbortSignal;
}

export interface AssembledArchive extends BundleFacts {
  manifest: BundleManifest;
  /** In the store; the archive is made of these and the source member. */
  blobs: Digest[];
}

/**
 * Makes a bundle out of its parts: manifest, digests of tar and archive, the compressed source part. The archive itself
 * is never stored: {@link file://./archive-reader.ts} streams it from the blobs. The caller syncs what was written.
 */
export async function assembleBundle(options: AssemblyOptions): Promise<AssembledArchive> {
  const { blobs } = options;
  const contents = layOutBundle(options);
  const text = manifestText(contents.manifest);
  const manifestDigest = digestOf(text);
  const dependencyBlobs = [...contents.contents.values()].flatMap((one) =>
    one.kind === 'blob' ? [one.digest] : [],
  );
  const about = { manifest: contents.manifest, blobs: [...new Set(dependencyBlobs)] };

  const known = await options.known(manifestDigest);
  if (known?.damagedAt) await removeDamaged(options, known, about.blobs);
  else if (known && (await blobs.size(known.sourceMemberDigest)) !== null) return { ...known, ...about };

  await blobs.write(Buffer.from(text), { durability: 'batch' });
  const member = await sourceMember(options, contents);
  const digests = await digestsOf(options, contents, member);
  return {
    ...about,
    manifestDigest,
    ...digests,
    reproducibleDigest: reproducibleDigest(contents.manifest, options.files),
    writerVersion: WRITER_VERSION,
    sourceMemberDigest: member.digest,
    entries: contents.manifest.entries.length,
  };
}

/**
 * A bundle in which somebody found something changed (cachito.md 1.13) is looked through before another request names it.
 * What we make ourselves is made again; what was fetched has to be fetched again, which is for the next request.
 */
async function removeDamaged(
  { blobs, signal }: AssemblyOptions,
  { manifestDigest, sourceMemberDigest }: BundleFacts,
  files: readonly Digest[],
): Promise<void> {
  const made = await damagedBlobs(blobs, [manifestDigest, sourceMemberDigest], signal);
  const fetched = await damagedBlobs(blobs, files, signal);
  for (const digest of [...made, ...fetched]) await blobs.delete(digest);
  if (fetched.length === 0) return;
  throw new FileAccessError('internal', 'Files of the bundle were damaged in the store. Please try again.', {
    hint: 'They were removed: the next request fetches them again.',
    details: { damaged: fetched.length },
  });
}

/** One pass over all bytes that were not looked at ahead: each blob is read once for both digests. */
async function digestsOf(
  { blobs, ahead, signal }: AssemblyOptions,
  { manifest, contents }: BundleContents,
  member: StoredBlob,
): Promise<Pick<BundleFacts, 'tarDigest' | 'tarSize' | 'archiveDigest' | 'archiveSize'>> {
  const crcs = new Map<Digest, number>();
  for (const content of contents.values())
    if (content.kind === 'blob') crcs.set(content.digest, content.crc32);
  const crcOf = (digest: Digest): number => {
    const crc = crcs.get(digest);
    if (crc === undefined)
      throw new InvalidRequestData('internal', `The bundle names the unknown file ${digest}`);
    return crc;
  };
  const { entries, digests } = (await ahead?.of(manifest, member)) ?? {
    entries: 0,
    digests: await ArchiveDigests.after(blobs, member),
  };
  const left = manifest.entries.filter((entry) => !isSourceEntry(entry)).slice(entries);
  const add = async (pieces: Iterable<Piece>): Promise<void> => {
    for await (const { bytes, isFraming } of labelledBytes(blobs, pieces, { recent: true })) {
      signal.throwIfAborted();
      digests.add(bytes, isFraming);
    }
  };
  await add(piecesOf(left, manifest.time, crcOf));
  await add(endPart(digests.tarSize).pieces(0));
  return digests.finish();
}

function* piecesOf(
  entries: readonly ManifestEntry[],
  time: number,
  crcOf: (digest: Digest) => number,
): Generator<Piece> {
  for (const entry of entries) yield* entryPart(entry, time, crcOf).pieces(0);
}
