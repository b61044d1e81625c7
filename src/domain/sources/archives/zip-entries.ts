import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createInflateRaw, inflateRawSync } from 'node:zlib';
import type * as yauzl from 'yauzl';
import { DomainError, UnsupportedFeature, ValidationError } from '../../errors.ts';
import type { BlobStore, Digest } from '../../storage/blob-store.ts';
import { type ArchiveEntry, brokenArchive, entryPath, NO_CONTENT, refusedEntry } from './archive-entry.ts';
import { type BlobWindows, type BlobZip, openBlobZip } from './blob-zip.ts';
import type { UnpackLimits } from './unpack-limits.ts';

/** A zip file whose entries may be read in any order until it is closed. */
export interface OpenZip {
  entries(): AsyncGenerator<ArchiveEntry>;
  close(): void;
}

export async function openZipEntries(
  { blobs, digest, size }: { blobs: BlobStore; digest: Digest; size: number },
  limits: UnpackLimits,
): Promise<OpenZip> {
  const open = () => openBlobZip(blobs, digest, size);
  const { zip, windows } = await open().catch((error: Error) => {
    throw brokenArchive(error.message, error);
  });
  const archive = { zip, windows, limits, open };
  return { entries: () => zipEntries(archive), close: () => zip.close() };
}

interface Archive {
  zip: BlobZip;
  windows: BlobWindows;
  limits: UnpackLimits;
  /** Once more. */
  open(): ReturnType<typeof openBlobZip>;
}

async function* zipEntries(archive: Archive): AsyncGenerator<ArchiveEntry> {
  const { zip, limits } = archive;
  const parts = new Parts();
  try {
    limits.countEntries(zip.entryCount);
    for await (const entry of zip.eachEntry()) {
      parts.add(entry);
      limits.countBytes(entry.uncompressedSize);
      yield await archiveEntry(archive, entry);
    }
    await refuseOverlap(archive, parts.overlap());
  } catch (error) {
    throw asFailure(error as Error);
  }
}

const TYPE_MASK = 0o170000;
const KINDS = new Map([
  [0o010000, 'fifo'],
  [0o020000, 'character-device'],
  [0o060000, 'block-device'],
  [0o140000, 'socket'],
]);
const SYMLINK = 0o120000;
const MAX_LINK_BYTES = 4096;

async function archiveEntry(archive: Archive, entry: yauzl.Entry): Promise<ArchiveEntry> {
  const path = entryPath(entry.fileName, 'Zip');
  const mode = unixMode(entry);
  const permissions = mode === 0 ? null : mode & 0o777;
  const common = { path, permissions, time: timeOf(entry), target: '' };
  if (entry.fileName.endsWith('/')) return { ...common, kind: 'directory', size: 0, content: NO_CONTENT };
  if (entry.generalPurposeBitFlag & 1) {
    throw new UnsupportedFeature('unsupported-feature', `The archive has the encrypted file ${path}`);
  }
  if (entry.compressionMethod !== STORED && entry.compressionMethod !== DEFLATED) {
    const method = `The archive has the file ${path}, packed by method ${entry.compressionMethod}`;
    throw new UnsupportedFeature('unsupported-feature', method, { hint: 'Use deflate, or no compression.' });
  }
  const kind = KINDS.get(mode & TYPE_MASK);
  if (kind) throw refusedEntry(path, kind);
  const isUnsized = hasNoSize(entry);
  const content = isUnsized ? unsizedContent(archive, entry) : sizedContent(archive, entry);
  if ((mode & TYPE_MASK) !== SYMLINK) {
    return { ...common, kind: 'file', size: isUnsized ? null : entry.uncompressedSize, content };
  }
  const target = await linkTarget(path, entry, content);
  return { ...common, kind: 'symlink', size: Buffer.byteLength(target), target, content: NO_CONTENT };
}

const STORED = 0;
const DEFLATED = 8;
/** What deflate makes of nothing. */
const EMPTY_DEFLATED = 2;

/** One client writes no sizes and checksums, though the data is there (fandogh.md 3.2). */
function hasNoSize({ compressionMethod, uncompressedSize, crc32, compressedSize }: yauzl.Entry): boolean {
  return (
    compressionMethod === DEFLATED && uncompressedSize === 0 && crc32 === 0 && compressedSize > EMPTY_DEFLATED
  );
}

async function linkTarget(
  path: string,
  { uncompressedSize }: yauzl.Entry,
  content: AsyncIterable<Uint8Array>,
): Promise<string> {
  const tooLong = (size: number) => brokenArchive(`the link ${path} has a target of ${size} bytes`);
  if (uncompressedSize > MAX_LINK_BYTES) throw tooLong(uncompressedSize);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of content) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_LINK_BYTES) throw tooLong(size);
  }
  return Buffer.concat(chunks).toString();
}

function sizedContent({ zip, windows }: Archive, entry: yauzl.Entry): AsyncIterable<Uint8Array> {
  return {
    async *[Symbol.asyncIterator]() {
      let checksum = 0;
      try {
        const small = await smallContent(zip, windows, entry);
        for await (const chunk of small ?? (await zip.openReadStreamPromise(entry))) {
          checksum = crc32(chunk as Buffer, checksum);
          yield chunk as Buffer;
        }
      } catch (error) {
        throw asFailure(error as Error);
      }
      if (checksum !== entry.crc32) throw brokenArchive(`the checksum of ${entry.fileName} is wrong`);
    },
  };
}

const SMALL = 64 * 1024;

/** Without a stream, which costs more than the file; null: it is large, or a stream has to say what is wrong with it. */
async function smallContent(
  zip: BlobZip,
  windows: BlobWindows,
  entry: yauzl.Entry,
): Promise<[Buffer] | null> {
  const { compressedSize, uncompressedSize, compressionMethod } = entry;
  if (compressedSize > SMALL || uncompressedSize > SMALL) return null;
  const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
  try {
    const packed = await windows.part(fileDataStart, fileDataStart + compressedSize);
    const content =
      compressionMethod === STORED ? packed : inflateRawSync(packed, { maxOutputLength: SMALL + 1 });
    return content.length === uncompressedSize ? [content] : null;
  } catch {
    return null;
  }
}

function unsizedContent({ zip, limits }: Archive, entry: yauzl.Entry): AsyncIterable<Uint8Array> {
  return {
    async *[Symbol.asyncIterator]() {
      const inflated = new PassThrough();
      const fed = zip
        .openReadStreamPromise(entry, { decodeFileData: false })
        .then((packed) => pipeline(packed, createInflateRaw(), inflated))
        .catch((error: Error) => void inflated.destroy(error));
      try {
        yield* limits.counted(inflated);
      } catch (error) {
        throw asFailure(error as Error);
      } finally {
        inflated.destroy();
        await fed;
      }
    },
  };
}

const LOCAL_HEADER_BYTES = 30;
const EXPECTED_ENTRIES = 4096;

/** Where the entries lie. */
class Parts {
  #bounds = new Float64Array(2 * EXPECTED_ENTRIES);
  #count = 0;

  add({ relativeOffsetOfLocalHeader: start, compressedSize }: yauzl.Entry): void {
    if (2 * this.#count === this.#bounds.length) {
      const larger = new Float64Array(2 * this.#bounds.length);
      larger.set(this.#bounds);
      this.#bounds = larger;
    }
    this.#bounds[2 * this.#count] = start;
    this.#bounds[2 * this.#count + 1] = start + LOCAL_HEADER_BYTES + compressedSize;
    this.#count += 1;
  }

  /** Which file, in their order, begins in the middle of another; null: none. */
  overlap(): number | null {
    const order = Uint32Array.from({ length: this.#count }, (_, index) => index);
    order.sort((a, b) => this.#bounds[2 * a]! - this.#bounds[2 * b]!);
    let end = 0;
    for (const index of order) {
      if (this.#bounds[2 * index]! < end) return index;
      end = this.#bounds[2 * index + 1]!;
    }
    return null;
  }
}

/** Files that share their bytes make a small archive expand without end. Names of a million files are not kept for it. */
async function refuseOverlap({ open }: Archive, index: number | null): Promise<void> {
  if (index === null) return;
  const { zip } = await open();
  let at = 0;
  try {
    for await (const { fileName } of zip.eachEntry()) {
      if (at === index) throw brokenArchive(`${fileName} overlaps another file`);
      at += 1;
    }
  } finally {
    zip.close();
  }
}

/** 0 when the archive was made on a system without such modes. */
function unixMode({ versionMadeBy, externalFileAttributes }: yauzl.Entry): number {
  const system = versionMadeBy >> 8;
  return system === 3 || system === 19 ? externalFileAttributes >>> 16 : 0;
}

/** Times without a zone are taken as UTC, so that the same archive gives the same source everywhere. */
function timeOf(entry: yauzl.Entry): number {
  const lastModified = entry.getLastModDate as (options: { timezone: 'UTC' }) => Date;
  const seconds = Math.floor(lastModified.call(entry, { timezone: 'UTC' }).getTime() / 1000);
  return Number.isFinite(seconds) ? Math.max(0, seconds) : 0;
}

function asFailure(error: Error): Error {
  if (error instanceof DomainError) return error;
  if (/^(?:invalid relative path|absolute path)/.test(error.message)) {
    const name = error.message.slice(error.message.indexOf(': ') + 2);
    return new ValidationError('path-outside-root', 'Attempted Path Traversal in Zip File', {
      cause: error,
      details: { name },
    });
  }
  return brokenArchive(error.message, error);
}
