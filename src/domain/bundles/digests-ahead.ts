import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BlobStore, Digest, StoredBlob } from '../storage/blob-store.ts';
import { ArchiveDigests } from './archive-digests.ts';
import { entryPart, type Piece } from './archive-layout.ts';
import { labelledBytes } from './archive-reader.ts';
import type { BundleFile } from './bundle-file.ts';
import {
  type BundleManifest,
  type BundleParts,
  isSourceEntry,
  layOutBundle,
  type ManifestEntry,
} from './bundle-manifest.ts';
import { readNow } from './read-now.ts';

/** A bundle of which it is known what will lie where, while its files are still being fetched. */
export interface ForeseenParts extends Pick<BundleParts, 'source' | 'directories'> {
  /** The compressed source. */
  member: StoredBlob;
  /** Paths of the files that are on their way. */
  awaited: readonly string[];
  /** Files that are known already. */
  known: readonly (BundleFile & { content: Buffer })[];
}

/** A place up to which the digests were computed. */
export interface DigestsMark {
  /** How many entries after those of the source. */
  entries: number;
  digests: ArchiveDigests;
}

/** So long, in milliseconds, downloads wait at a time. */
const LONGEST_TURN = 2;
const ENTRIES_BETWEEN_MARKS = 64;
/** Larger files are streamed. */
const SMALL_FILE = 128 * 1024;
/** A larger one is the end: to read it while others are written takes memory, and the bundle takes its time anyway. */
const LARGEST_FILE = 4 * 1024 * 1024;

/**
 * Computes the digests of a bundle while its files are being fetched: as far from the beginning as they have come. Whoever
 * assembles the bundle goes on from there. What was foreseen wrongly costs time only: {@link of} compares.
 */
export class DigestsAhead {
  readonly #blobs: BlobStore;
  readonly #come = new Map<string, StoredBlob>();
  readonly #hashed: ManifestEntry[] = [];
  readonly #marks: DigestsMark[] = [];
  #foreseen: { time: number; member: Digest } | null = null;
  #awaited: { path: string; resolve: () => void } | null = null;
  #isOver = false;
  #work: Promise<void> = Promise.resolve();

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  /** A file is in the store, verified. */
  add(path: string, { digest, size, crc32 }: StoredBlob): void {
    if (this.#isOver) return;
    this.#come.set(path, { digest, size, crc32 });
    if (this.#awaited?.path === path) this.#awaited.resolve();
  }

  begin(parts: ForeseenParts): void {
    // What cannot be read now is reported by who assembles the bundle.
    if (!this.#isOver) this.#work = this.#hash(parts).catch(() => undefined);
  }

  /** Nothing more is computed. */
  end(): void {
    this.#isOver = true;
    this.#awaited?.resolve();
    this.#come.clear();
  }

  /** So many entries are in the digests so far, besides those of the source. */
  get entries(): number {
    return this.#hashed.length;
  }

  /** What is right for an archive, its source at least; null: nothing is. Its digests are the caller's. */
  async of({ time, entries }: BundleManifest, member: StoredBlob): Promise<DigestsMark | null> {
    this.end();
    await this.#work;
    if (this.#foreseen?.time !== time || this.#foreseen.member !== member.digest) return null;
    const real = entries.filter((entry) => !isSourceEntry(entry));
    const wrong = this.#hashed.findIndex((entry, index) => !isSame(entry, real[index]));
    const right = wrong < 0 ? this.#hashed.length : wrong;
    return this.#marks.findLast((mark) => mark.entries <= right) ?? null;
  }

  async #hash({ source, directories, member, awaited, known }: ForeseenParts): Promise<void> {
    const contents = new Map(known.map((file) => [file.path, file]));
    const files = [...known, ...awaited.filter((path) => !contents.has(path)).map(toCome)];
    const { manifest } = layOutBundle({ source, sourceChanges: [], files, directories });
    const digests = await ArchiveDigests.after(this.#blobs, member);
    this.#foreseen = { time: manifest.time, member: member.digest };
    let turn = performance.now();
    for (const foreseen of manifest.entries) {
      if (isSourceEntry(foreseen)) continue;
      if (this.#hashed.length % ENTRIES_BETWEEN_MARKS === 0) this.#mark(digests);
      const known = contents.get(foreseen.path);
      const blob = foreseen.type === 'file' ? (known ?? (await this.#file(foreseen.path))) : null;
      if (blob === undefined || this.#isOver || (blob !== null && blob.size > LARGEST_FILE)) break;
      const entry = blob === null ? foreseen : { ...foreseen, size: blob.size, digest: blob.digest };
      const pieces = entryPart(entry, manifest.time, () => blob!.crc32).pieces(0);
      const content = blob === null ? EMPTY : (known?.content ?? this.#read(blob));
      if (content !== null) addPieces(digests, pieces, content);
      else if (!(await this.#stream(digests, pieces))) return;
      this.#hashed.push(entry);
      if (performance.now() - turn > LONGEST_TURN) {
        await nextTurn();
        turn = performance.now();
      }
    }
    this.#mark(digests);
  }

  /** False: it is over, the digests end somewhere in a file. */
  async #stream(digests: ArchiveDigests, pieces: Iterable<Piece>): Promise<boolean> {
    this.#mark(digests);
    for await (const { bytes, isFraming } of labelledBytes(this.#blobs, pieces)) {
      if (this.#isOver) return false;
      digests.add(bytes, isFraming);
    }
    return true;
  }

  #mark(digests: ArchiveDigests): void {
    this.#marks.push({ entries: this.#hashed.length, digests: digests.copy() });
  }

  /** Waits until it has come; undefined when it is over before that. */
  async #file(path: string): Promise<StoredBlob | undefined> {
    if (!this.#come.has(path) && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#awaited = { path, resolve };
      });
      this.#awaited = null;
    }
    const file = this.#come.get(path);
    this.#come.delete(path);
    return file;
  }

  /** A small file whole; null when it is to be streamed. */
  #read({ digest, size }: StoredBlob): Buffer | null {
    const path = size <= SMALL_FILE ? this.#blobs.localPath(digest) : null;
    return path === null ? null : readNow(path, 0, size);
  }
}

const EMPTY = Buffer.alloc(0);

function addPieces(digests: ArchiveDigests, pieces: Iterable<Piece>, content: Buffer): void {
  for (const piece of pieces) {
    if ('bytes' in piece) digests.add(piece.bytes, piece.isFraming ?? false);
    else digests.add(content.subarray(piece.start, piece.end), false);
  }
}

function toCome(path: string): BundleFile {
  return { path, mode: 0o644, digest: 'sha256:', size: 0, crc32: 0 };
}

function isSame(a: ManifestEntry, b: ManifestEntry | undefined): boolean {
  return (
    a.path === b?.path &&
    a.type === b.type &&
    a.mode === b.mode &&
    a.size === b.size &&
    a.digest === b.digest &&
    a.target === b.target
  );
}
