import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BlobStore, ByteRange, Digest } from '../storage/blob-store.ts';
import { type ArchiveLayout, type Piece, pieceLength } from './archive-layout.ts';
import { readNow } from './read-now.ts';

/** Any byte range of a bundle's `.tar.gz`, straight from the blobs; bytes outside of the range are not touched. */
export function readArchive(blobs: BlobStore, layout: ArchiveLayout, range?: ByteRange): Readable {
  const { start, end } = range ?? { start: 0, end: layout.archiveSize };
  return Readable.from(bytesOf(blobs, layout.archive(start, end)), {
    objectMode: false,
    highWaterMark: 1024 * 1024,
  });
}

/** A stored block of a member is 64 KiB: pieces of one blob that follow each other are read by one stream. */
const GATHER = 256 * 1024;

/** The bytes of pieces in order, in chunks of some size. */
async function* bytesOf(blobs: BlobStore, pieces: Iterable<Piece>): AsyncGenerator<Uint8Array> {
  const gathered = new Gathered();
  for await (const { bytes } of labelledBytes(blobs, pieces)) {
    gathered.add(bytes);
    if (gathered.size >= GATHER) yield gathered.take();
  }
  if (gathered.size > 0) yield gathered.take();
}

export interface ReadOptions {
  /**
   * The blobs were written a moment ago, and the caller has nothing else to do: small ones are read from the system's
   * memory at once, which takes a quarter of the time that asking for them and waiting takes.
   */
  recent?: boolean;
}

/** So long, in milliseconds, everything else of the process waits for reading at once. */
const LONGEST_TURN = 8;

/**
 * The bytes of pieces in order, each chunk with the word whether it belongs to gzip only. Each blob is opened once for all
 * of its pieces: framing between them is put in while its stream goes on.
 */
export async function* labelledBytes(
  blobs: BlobStore,
  pieces: Iterable<Piece>,
  { recent = false }: ReadOptions = {},
): AsyncGenerator<{ bytes: Uint8Array; isFraming: boolean }> {
  let turn = performance.now();
  for (const { run, ahead } of recent && hasFiles(blobs)
    ? readAtOnce(blobs, runs(pieces))
    : readAhead(blobs, runs(pieces))) {
    if (recent && performance.now() - turn > LONGEST_TURN) {
      await nextTurn();
      turn = performance.now();
    }
    const content =
      run.digest === null
        ? null
        : ahead
          ? new ReadContent(ahead instanceof Promise ? await ahead : ahead)
          : new ContentStream(blobs, run, run.digest);
    try {
      for (const piece of run.pieces) {
        if ('bytes' in piece) yield { bytes: piece.bytes, isFraming: piece.isFraming ?? false };
        else for await (const bytes of content!.take(pieceLength(piece))) yield { bytes, isFraming: false };
      }
    } finally {
      content?.close();
    }
  }
}

/** Small blobs are read side by side, so many at a time: opening one after the other takes longer than reading. */
const READ_AHEAD = 16;
const SMALL_RUN = 128 * 1024;

interface RunAhead {
  run: Run;
  /** Bytes of a small run; null: they are still to be read. */
  ahead: Promise<Buffer> | Buffer | null;
}

/** Whether blobs can be read at once; those of other machines are better asked for ahead. */
function hasFiles(blobs: BlobStore): boolean {
  return blobs.localPath(`sha256:${'0'.repeat(64)}`) !== null;
}

function* readAtOnce(blobs: BlobStore, all: Iterable<Run>): Generator<RunAhead> {
  for (const run of all) {
    const { digest, start, end } = run;
    const path = digest !== null && end - start <= SMALL_RUN ? blobs.localPath(digest) : null;
    yield { run, ahead: path === null ? null : readNow(path, start, end) };
  }
}

function* readAhead(blobs: BlobStore, all: Iterable<Run>): Generator<RunAhead> {
  const waiting: RunAhead[] = [];
  for (const run of all) {
    const { digest, start, end } = run;
    const isSmall = digest !== null && end - start <= SMALL_RUN;
    const ahead = isSmall ? blobs.readPart(digest, { start, end }) : null;
    // Whoever stops reading early does not want to hear of it; whoever gets there, does.
    ahead?.catch(() => undefined);
    waiting.push({ run, ahead });
    if (waiting.length >= READ_AHEAD) yield waiting.shift()!;
  }
  yield* waiting;
}

interface Run {
  /** null: known bytes only. */
  digest: Digest | null;
  start: number;
  end: number;
  pieces: Piece[];
}

/** Pieces of one blob that continue each other, with the framing between them. */
function* runs(pieces: Iterable<Piece>): Generator<Run> {
  let run = null as Run | null;
  for (const piece of pieces) {
    if ('bytes' in piece) {
      run ??= { digest: null, start: 0, end: 0, pieces: [] };
      run.pieces.push(piece);
      if (run.digest === null || run.pieces.length > LONGEST_RUN) {
        yield run;
        run = null;
      }
    } else if (run?.digest === piece.digest && run.end === piece.start) {
      run.end = piece.end;
      run.pieces.push(piece);
    } else {
      if (run) yield run;
      run = { digest: piece.digest, start: piece.start, end: piece.end, pieces: [piece] };
    }
  }
  if (run) yield run;
}

/** Pieces of 64 KiB: a run of a large blob covers 64 MiB, so that its list stays short. */
const LONGEST_RUN = 2048;

class Gathered {
  #chunks: Uint8Array[] = [];
  size = 0;

  add(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.size += chunk.length;
  }

  take(): Uint8Array {
    const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.size = 0;
    return bytes;
  }
}

interface Content {
  /** The next bytes, so many. */
  take(count: number): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  close(): void;
}

class ReadContent implements Content {
  #rest: Buffer;

  constructor(bytes: Buffer) {
    this.#rest = bytes;
  }

  take(count: number): Uint8Array[] {
    const bytes = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return [bytes];
  }

  close(): void {}
}

/** Counted bytes of a blob's stream. Throws when the blob is shorter than it should be: a stream is never completed then. */
class ContentStream implements Content {
  readonly #stream: Readable;
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #digest: Digest;
  #rest: Buffer = Buffer.alloc(0);

  constructor(blobs: BlobStore, { start, end }: Run, digest: Digest) {
    this.#stream = blobs.read(digest, { start, end });
    this.#chunks = this.#stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    this.#digest = digest;
  }

  async *take(count: number): AsyncGenerator<Uint8Array> {
    for (let left = count; left > 0; ) {
      if (this.#rest.length === 0) {
        const { value, done } = await this.#chunks.next();
        if (done) throw new Error(`The blob ${this.#digest} is shorter than it was`);
        this.#rest = value;
      }
      const chunk = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(chunk.length);
      left -= chunk.length;
      yield chunk;
    }
  }

  close(): void {
    this.#stream.destroy();
  }
}
