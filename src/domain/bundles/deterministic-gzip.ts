import { crc32 } from 'node:zlib';
import { deflate, deflateSync } from 'fflate';

/**
 * Gzip whose bytes are the same everywhere (prefetch.md section 14): several members back to back, which readers see as
 * one stream. Sources are compressed by a pure-JavaScript deflate of a pinned version; files that are compressed already
 * go into stored blocks, whose every byte is known from the length and the CRC alone.
 */
export const WRITER_VERSION = 'stowage-gzip-1';

/** Deflate level, part of the writer's version like the library's exact version in package.json. */
const LEVEL = 6;
/** Uncompressed bytes of one member: members can be compressed side by side and need little memory. */
const SLICE = 4 * 1024 * 1024;
/** Smaller slices are not worth a thread. */
const THREAD_FROM = 256 * 1024;

/** Magic, deflate, no flags, no time, no extra flags, Unix. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
const TRAILER = 8;

/** Compresses a stream into members of {@link SLICE} bytes each. */
export async function* compressedMembers(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const slice of slices(content)) {
    yield HEADER;
    yield await deflated(slice);
    yield trailer(crc32(slice), slice.length);
  }
}

async function* slices(content: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let waiting: Uint8Array[] = [];
  let size = 0;
  for await (let chunk of content) {
    while (size + chunk.length >= SLICE) {
      const fits = SLICE - size;
      yield Buffer.concat([...waiting, chunk.subarray(0, fits)]);
      waiting = [];
      size = 0;
      chunk = chunk.subarray(fits);
    }
    // The caller may reuse its buffer.
    waiting.push(Buffer.from(chunk));
    size += chunk.length;
  }
  if (size > 0) yield Buffer.concat(waiting);
}

/** On a thread of its own when it takes long: the process has heartbeats to send. */
function deflated(slice: Buffer): Promise<Uint8Array> {
  if (slice.length < THREAD_FROM) return Promise.resolve(deflateSync(slice, { level: LEVEL }));
  return new Promise((resolve, reject) => {
    deflate(slice, { level: LEVEL }, (error, data) => (error ? reject(error) : resolve(data)));
  });
}

function trailer(crc: number, length: number): Buffer {
  const bytes = Buffer.alloc(TRAILER);
  bytes.writeUInt32LE(crc >>> 0, 0);
  bytes.writeUInt32LE(length % 2 ** 32, 4);
  return bytes;
}

// --- stored members -------------------------------------------------------------------------------------------------

const BLOCK = 65_535;
const BLOCK_HEADER = 5;

/** Bytes of a member that stores so many bytes. */
export function storedMemberSize(length: number): number {
  return HEADER.length + blocksOf(length) * BLOCK_HEADER + length + TRAILER;
}

function blocksOf(length: number): number {
  return Math.max(1, Math.ceil(length / BLOCK));
}

/** A piece of a stored member: bytes of the framing, or a range of the content. */
export type StoredPiece =
  | { kind: 'framing'; bytes: Buffer }
  | { kind: 'content'; start: number; end: number };

/** The pieces of a member in order, from the one that holds the byte `from`. `skip`: bytes of it that come before. */
export function* storedMember(
  length: number,
  crc: number,
  from = 0,
): Generator<StoredPiece & { skip: number }> {
  let skip = from;
  const piece = function* (one: StoredPiece, size: number): Generator<StoredPiece & { skip: number }> {
    if (skip < size) yield { ...one, skip };
    skip = Math.max(0, skip - size);
  };
  yield* piece({ kind: 'framing', bytes: HEADER }, HEADER.length);
  const blocks = blocksOf(length);
  const perBlock = BLOCK_HEADER + BLOCK;
  const first = Math.min(blocks - 1, Math.floor(skip / perBlock));
  skip -= first * perBlock;
  for (let block = first; block < blocks; block++) {
    const start = block * BLOCK;
    const end = Math.min(length, start + BLOCK);
    yield* piece({ kind: 'framing', bytes: blockHeader(end - start, block === blocks - 1) }, BLOCK_HEADER);
    if (end > start) yield* piece({ kind: 'content', start, end }, end - start);
  }
  yield* piece({ kind: 'framing', bytes: trailer(crc, length) }, TRAILER);
}

function blockHeader(length: number, last: boolean): Buffer {
  const bytes = Buffer.alloc(BLOCK_HEADER);
  bytes[0] = last ? 1 : 0;
  bytes.writeUInt16LE(length, 1);
  bytes.writeUInt16LE(~length & 0xffff, 3);
  return bytes;
}
