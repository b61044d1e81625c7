import { createHash } from 'node:crypto';
import type { Limits } from '../config.ts';
import { InvalidRepoStructure, ValidationError } from '../errors.ts';
import type { BlobStore, BlobWriter, Digest, StoredBlob } from '../storage/blob-store.ts';
import { blobIdHash, type ObjectFormat, type TreeEntry, treeOf } from './git-tree-id.ts';
import { isLfsPointer, MAX_LFS_POINTER_BYTES } from './lfs-pointer.ts';
import { SnapshotTree } from './snapshot-tree.ts';
import { assertSourcePath, comparePaths } from './source-path.ts';
import type { SourceEntry, SourceMode, SourceTree } from './source-tree.ts';

/**
 * A source tree in the blob store, independent of where it came from: the *pack* blob holds the contents of all regular
 * files back to back, in the order of their paths; the *index* blob is JSON and says what lies where. The digest of the
 * index names the snapshot. The same tree gives the same two blobs on every machine.
 */
export interface SnapshotIndex {
  formatVersion: 1;
  commit: string | null;
  treeId: string;
  time: number;
  pack: Digest;
  packSize: number;
  entries: PackedEntry[];
}

/** Of a regular file, `offset` says where its content begins in the pack. */
export interface PackedEntry extends SourceEntry {
  offset?: number;
  /** The content is a pointer of Git LFS, kept as it is. */
  lfsPointer?: true;
}

/** One entry on its way into a snapshot; entries come sorted bytewise by path. */
export interface NewEntry {
  path: string;
  mode: SourceMode;
  /** Bytes of a regular file, known beforehand; ignored for links and submodules. */
  size: number;
  /** Of a regular file. */
  content?: AsyncIterable<Uint8Array>;
  /** Of a symbolic link. */
  target?: string;
  /** Of a submodule. */
  commit?: string;
  /** Git's id of the content, when it is known: another content is then refused. */
  objectId?: string;
}

export interface SnapshotInfo {
  commit: string | null;
  /** null: computed from the entries. */
  treeId: string | null;
  time: number;
}

export interface WrittenSnapshot {
  /** Digest of the index blob: names the snapshot. */
  snapshot: Digest;
  pack: Digest;
  treeId: string;
  /** Bytes of all regular files. */
  size: number;
  /** Entries of any kind. */
  files: number;
  /** Index and pack, both durable. */
  blobs: StoredBlob[];
}

/** Stores a tree. Refuses paths that leave it, two entries for one path, and more than the limits allow. */
export async function writeSnapshot(
  blobs: BlobStore,
  info: SnapshotInfo,
  entries: AsyncIterable<NewEntry> | Iterable<NewEntry>,
  limits: Pick<Limits, 'entries' | 'unpackedBytes'>,
  signal?: AbortSignal,
): Promise<WrittenSnapshot> {
  const format: ObjectFormat = info.treeId?.length === 64 ? 'sha256' : 'sha1';
  const options = { durability: 'batch', ...(signal && { signal }) } as const;
  const writer = await blobs.createWriter(options);
  try {
    const order = new PathOrder();
    const packed: PackedEntry[] = [];
    const objects: TreeEntry[] = [];
    for await (const entry of entries) {
      signal?.throwIfAborted();
      order.add(entry);
      if (packed.length >= limits.entries) throw tooMany(limits.entries);
      if (entry.content && writer.size + entry.size > limits.unpackedBytes)
        throw tooLarge(limits.unpackedBytes);
      const { stored, objectId } = await storeEntry(writer, entry, format);
      packed.push(stored);
      objects.push({ path: entry.path, mode: entry.mode, objectId });
    }
    const pack = await writer.commit();
    const treeId = info.treeId ?? treeOf(objects, format);
    const { commit, time } = info;
    const head = { formatVersion: 1, commit, treeId, time, pack: pack.digest, packSize: pack.size } as const;
    const index = await blobs.write(indexText({ ...head, entries: packed }), options);
    await blobs.sync([pack.digest, index.digest]);
    return {
      snapshot: index.digest,
      pack: pack.digest,
      treeId,
      size: pack.size,
      files: packed.length,
      blobs: [pack, index],
    };
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

const MAX_INDEX_BYTES = 500 * 1024 * 1024;

/** The tree that {@link writeSnapshot} stored. Throws NotFoundError when the blob store does not have it. */
export async function openSnapshot(blobs: BlobStore, snapshot: Digest): Promise<SourceTree> {
  const index = JSON.parse((await blobs.readWhole(snapshot, MAX_INDEX_BYTES)).toString()) as SnapshotIndex;
  if (index.formatVersion !== 1) {
    throw new Error(`The snapshot ${snapshot} has the unknown format ${index.formatVersion}`);
  }
  return new SnapshotTree(blobs, index);
}

/** Paths of files that are only pointers of Git LFS. */
export function lfsPointers(tree: SourceTree): string[] {
  const entries: Iterable<PackedEntry> = tree.entries.values();
  return [...entries].filter((entry) => entry.lfsPointer).map((entry) => entry.path);
}

/** The same tree without some of its entries: a new index over the same pack. */
export async function omitEntries(
  blobs: BlobStore,
  snapshot: Digest,
  paths: ReadonlySet<string>,
): Promise<{ index: StoredBlob; pack: Digest }> {
  const index = JSON.parse((await blobs.readWhole(snapshot, MAX_INDEX_BYTES)).toString()) as SnapshotIndex;
  const entries = index.entries.filter((entry) => !paths.has(entry.path));
  return { index: await blobs.write(indexText({ ...index, entries })), pack: index.pack };
}

async function storeEntry(
  writer: BlobWriter,
  entry: NewEntry,
  format: ObjectFormat,
): Promise<{ stored: PackedEntry; objectId: string }> {
  const { path, mode } = entry;
  if (mode === '160000') {
    const commit = entry.commit ?? '';
    return { stored: { path, mode, size: 0, commit }, objectId: commit };
  }
  if (mode === '120000') {
    const target = linkTarget(entry);
    const size = Buffer.byteLength(target);
    return {
      stored: { path, mode, size, target },
      objectId: blobIdHash(size, format).update(target).digest('hex'),
    };
  }
  const offset = writer.size;
  const head: Uint8Array[] = [];
  const sha256 = createHash('sha256');
  const blobId = blobIdHash(entry.size, format);
  for await (const chunk of entry.content ?? []) {
    if (writer.size - offset + chunk.byteLength > entry.size) throw wrongSize(entry);
    sha256.update(chunk);
    blobId.update(chunk);
    if (entry.size <= MAX_LFS_POINTER_BYTES) head.push(chunk);
    await writer.write(chunk);
  }
  if (writer.size - offset !== entry.size) throw wrongSize(entry);
  const objectId = blobId.digest('hex');
  if (entry.objectId !== undefined && entry.objectId !== objectId) {
    throw new InvalidRepoStructure(
      'unexpected-format',
      `The content of ${path} is not that of its git object`,
      {
        details: { path, expected: entry.objectId, actual: objectId },
      },
    );
  }
  const digest: Digest = `sha256:${sha256.digest('hex')}`;
  const stored: PackedEntry = { path, mode, size: entry.size, digest, offset };
  if (isLfsPointer(Buffer.concat(head))) stored.lfsPointer = true;
  return { stored, objectId };
}

/** Checks every path, their order, and that none lies below a file or link. */
class PathOrder {
  readonly #leaves = new Set<string>();
  #last = '';
  #checkedDirectory = '';

  add({ path, mode }: NewEntry): void {
    assertSourcePath(path);
    if (path === this.#last) throw conflict(path);
    if (this.#last !== '' && comparePaths(this.#last, path) > 0) {
      throw new Error(`Entries of a snapshot must be sorted: ${path} comes after ${this.#last}`);
    }
    this.#last = path;
    const directory = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    if (directory !== this.#checkedDirectory) this.#checkAncestors(directory);
    this.#checkedDirectory = directory;
    if (mode !== '160000') this.#leaves.add(path);
  }

  #checkAncestors(directory: string): void {
    for (let end = directory.indexOf('/'); end !== -1; end = directory.indexOf('/', end + 1)) {
      if (this.#leaves.has(directory.slice(0, end))) throw conflict(directory.slice(0, end));
    }
    if (this.#leaves.has(directory)) throw conflict(directory);
  }
}

const INDEX_CHUNK = 1000;

async function* indexText({ entries, ...head }: SnapshotIndex): AsyncIterable<Uint8Array> {
  yield Buffer.from(`${JSON.stringify(head).slice(0, -1)},"entries":[`);
  for (let start = 0; start < entries.length; start += INDEX_CHUNK) {
    const rows = entries.slice(start, start + INDEX_CHUNK).map((entry) => JSON.stringify(entry));
    yield Buffer.from(`${start === 0 ? '' : ','}\n${rows.join(',\n')}`);
  }
  yield Buffer.from('\n]}\n');
}

function linkTarget({ path, target }: NewEntry): string {
  if (!target || target.includes('\0') || !target.isWellFormed() || target.includes('\ufffd')) {
    throw new InvalidRepoStructure(
      'unexpected-format',
      `The symbolic link ${path} has a target that is no path`,
    );
  }
  return target;
}

function conflict(path: string): InvalidRepoStructure {
  return new InvalidRepoStructure('unexpected-format', `The source has two entries for the path ${path}`);
}

function wrongSize({ path, size }: NewEntry): InvalidRepoStructure {
  return new InvalidRepoStructure(
    'unexpected-format',
    `The file ${path} does not have the ${size} bytes it announces`,
  );
}

function tooMany(limit: number): ValidationError {
  return new ValidationError('package-rejected', `The source has more than ${limit} entries`);
}

function tooLarge(limit: number): ValidationError {
  return new ValidationError('package-rejected', `The files of the source have more than ${limit} bytes`);
}
