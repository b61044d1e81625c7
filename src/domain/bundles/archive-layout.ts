import { crc32 } from 'node:zlib';
import type { Digest } from '../storage/blob-store.ts';
import { type BundleManifest, isSourceEntry, type ManifestEntry } from './bundle-manifest.ts';
import { combineCrc32 } from './crc32-combine.ts';
import { storedMember, storedMemberSize } from './deterministic-gzip.ts';
import { type TarEntry, tarEnd, tarHeader, tarPadding } from './deterministic-tar.ts';

/** Bytes that are known (`isFraming`: part of gzip, not of the tar), or a range of a blob. */
export type Piece =
  | { bytes: Uint8Array; isFraming?: boolean }
  | { digest: Digest; start: number; end: number };

/** A part of an archive: knows its length, and gives its bytes from any position. */
interface ArchivePart {
  /** Bytes in the compressed and in the uncompressed archive. */
  archiveSize: number;
  tarSize: number;
  pieces(from: number): Generator<Piece>;
}

export interface ArchiveLayout {
  archiveSize: number;
  tarSize: number;
  /** Pieces of the `.tar.gz` from one byte to another. */
  archive(start: number, end: number): Generator<Piece>;
}

/**
 * How the archive of a bundle is made of blobs: the compressed source member, then a stored member for each other entry,
 * then one for the end of the tar. Nothing is read for it: positions follow from sizes, CRCs from the blobs' own.
 *
 * @param crcOf CRC-32 of a blob
 */
export function archiveLayout(
  manifest: BundleManifest,
  source: { digest: Digest; size: number },
  crcOf: (digest: Digest) => number,
): ArchiveLayout {
  const parts: ArchivePart[] = [];
  let sourceTarSize = 0;
  for (const entry of manifest.entries) {
    if (isSourceEntry(entry)) sourceTarSize += tarSizeOf(entry, manifest.time);
    else parts.push(entryPart(entry, manifest.time, crcOf));
  }
  const before = sourceTarSize + parts.reduce((sum, part) => sum + part.tarSize, 0);
  parts.push(endPart(before));
  const starts: number[] = [];
  let archiveSize = source.size;
  let tarSize = sourceTarSize;
  for (const part of parts) {
    starts.push(archiveSize);
    archiveSize += part.archiveSize;
    tarSize += part.tarSize;
  }
  return {
    archiveSize,
    tarSize,
    *archive(start, end) {
      if (start < source.size) yield { digest: source.digest, start, end: Math.min(end, source.size) };
      let position = Math.max(start, source.size);
      for (let index = partAt(starts, position); index < parts.length && position < end; index++) {
        for (const piece of parts[index]!.pieces(position - starts[index]!)) {
          const length = Math.min(pieceLength(piece), end - position);
          yield shortened(piece, length);
          position += length;
          if (position >= end) return;
        }
      }
    },
  };
}

export function pieceLength(piece: Piece): number {
  return 'bytes' in piece ? piece.bytes.length : piece.end - piece.start;
}

function shortened(piece: Piece, length: number): Piece {
  if (length === pieceLength(piece)) return piece;
  return 'bytes' in piece
    ? { bytes: piece.bytes.subarray(0, length) }
    : { ...piece, end: piece.start + length };
}

/** Index of the last part that begins at or before the position. */
function partAt(starts: readonly number[], position: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (starts[middle]! <= position) low = middle;
    else high = middle - 1;
  }
  return low;
}

function tarSizeOf(entry: ManifestEntry, time: number): number {
  const content = entry.type === 'file' ? entry.size + tarPadding(entry.size) : 0;
  return tarHeader(tarEntry(entry), time).length + content;
}

/** Header, content and padding of one entry, in one stored member. */
export function entryPart(
  entry: ManifestEntry,
  time: number,
  crcOf: (digest: Digest) => number,
): ArchivePart {
  const header = tarHeader(tarEntry(entry), time);
  const padding = Buffer.alloc(entry.type === 'file' ? tarPadding(entry.size) : 0);
  const content: Piece[] =
    entry.digest && entry.size > 0 ? [{ digest: entry.digest, start: 0, end: entry.size }] : [];
  const pieces: Piece[] = [
    { bytes: header },
    ...content,
    ...(padding.length > 0 ? [{ bytes: padding }] : []),
  ];
  let crc = crc32(header);
  if (content.length > 0) crc = combineCrc32(crc, crcOf(entry.digest!), entry.size);
  if (padding.length > 0) crc = combineCrc32(crc, crc32(padding), padding.length);
  return storedPart(pieces, crc);
}

/** The end of an archive whose tar has so many bytes. */
export function endPart(tarSize: number): ArchivePart {
  const bytes = Buffer.alloc(tarEnd(tarSize));
  return storedPart([{ bytes }], crc32(bytes));
}

function storedPart(pieces: readonly Piece[], crc: number): ArchivePart {
  const tarSize = pieces.reduce((sum, piece) => sum + pieceLength(piece), 0);
  return {
    archiveSize: storedMemberSize(tarSize),
    tarSize,
    *pieces(from) {
      for (const piece of storedMember(tarSize, crc, from)) {
        if (piece.kind === 'framing') yield { bytes: piece.bytes.subarray(piece.skip), isFraming: true };
        else yield* range(pieces, piece.start + piece.skip, piece.end);
      }
    },
  };
}

function* range(pieces: readonly Piece[], start: number, end: number): Generator<Piece> {
  let position = 0;
  for (const piece of pieces) {
    const length = pieceLength(piece);
    const from = Math.max(start - position, 0);
    const to = Math.min(end - position, length);
    if (from < to) {
      yield 'bytes' in piece
        ? { bytes: piece.bytes.subarray(from, to) }
        : { digest: piece.digest, start: piece.start + from, end: piece.start + to };
    }
    position += length;
  }
}

export function tarEntry(entry: ManifestEntry): TarEntry {
  return {
    path: entry.path,
    kind: entry.type,
    mode: Number.parseInt(entry.mode, 8),
    size: entry.size,
    ...(entry.target !== undefined && { target: entry.target }),
  };
}
