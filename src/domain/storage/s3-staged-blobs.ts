import { Readable } from 'node:stream';
import pLimit from 'p-limit';
import type { ByteRange, StoredBlob } from './blob-store.ts';
import { releaseBuffers } from './release-buffers.ts';
import type { S3BlobStore } from './s3-blob-store.ts';
import { isMissing, type S3Bucket, type S3Object } from './s3-bucket.ts';
import { UPLOADS } from './s3-keys.ts';
import { LEAST_PART_BYTES, MOST_PART_BYTES, partBytesAt, S3MultipartUpload } from './s3-multipart-upload.ts';
import type { StagedBlob, StagedBlobs } from './staged-blobs.ts';
import { isStagedName, missingStaged, requireStagedName } from './staged-name.ts';

/**
 * Staged bytes as segments `uploads/<name>/<offset>`: objects that continue each other, so that any gateway can read them,
 * go on behind them, and have the server make a blob of them. Parts of an upload of S3 cannot be read before it is complete,
 * nor be smaller than 5 MiB.
 */
export class S3StagedBlobs implements StagedBlobs {
  readonly #store: S3BlobStore;
  readonly #bucket: S3Bucket;

  constructor(store: S3BlobStore, bucket: S3Bucket) {
    this.#store = store;
    this.#bucket = bucket;
  }

  async open(name: string, size: number): Promise<StagedBlob> {
    const last = await this.#last(name, size);
    if (size > 0 && (last === null || endOf(last) < size)) throw missingStaged(name);
    if (last !== null && endOf(last) > size) await this.#cut(last, size);
    return new S3StagedBlob(this.#bucket, (offset) => keyOf(name, offset), size);
  }

  read(name: string, size: number): Readable {
    return Readable.from(this.#bytes(name, size), { objectMode: false, highWaterMark: 256 * 1024 });
  }

  async move(name: string, size: number, newName: string): Promise<void> {
    const atOnce = pLimit(COPIES);
    const copied: Promise<void>[] = [];
    for (const { segment, end } of await this.#segments(name, size)) {
      const key = keyOf(newName, segment.offset);
      const isWhole = end === segment.size;
      copied.push(
        atOnce(async () => {
          if (isWhole) await this.#bucket.copy(segment.key, key);
          else await this.#bucket.put(key, await this.#bucket.readPart(segment.key, { start: 0, end }));
        }),
      );
    }
    const failed = (await Promise.allSettled(copied)).find((one) => one.status === 'rejected');
    if (failed) throw isMissing(failed.reason) ? missingStaged(name) : failed.reason;
    await this.remove(name);
  }

  async commit(name: string, blob: StoredBlob): Promise<void> {
    const segments = await this.#segments(name, blob.size);
    const [only, second] = segments;
    try {
      if (blob.size <= LEAST_PART_BYTES) {
        await this.#store.put(await this.#gathered(segments), blob.digest);
      } else if (only && !second && only.segment.size === blob.size) {
        await this.#store.replace(blob.digest, (key) => this.#bucket.copy(only.segment.key, key));
      } else {
        await this.#store.replace(blob.digest, (key) => this.#join(segments, key));
      }
    } catch (error) {
      throw isMissing(error) ? missingStaged(name) : error;
    }
    await this.remove(name);
  }

  async remove(name: string): Promise<void> {
    const keys: string[] = [];
    for await (const { key } of this.#bucket.list(directoryOf(name))) keys.push(key);
    await this.#bucket.removeAll(keys);
  }

  async *list(): AsyncIterable<{ name: string; writtenAt: Date }> {
    let current = null as { name: string; writtenAt: Date } | null;
    for await (const { key, writtenAt } of this.#bucket.list(UPLOADS)) {
      const name = key.slice(UPLOADS.length).split('/', 1)[0]!;
      if (!isStagedName(name)) continue;
      if (current?.name !== name) {
        if (current) yield current;
        current = { name, writtenAt };
      } else if (writtenAt > current.writtenAt) current.writtenAt = writtenAt;
    }
    if (current) yield current;
  }

  /** The segment that has the last of so many bytes; what lies behind it goes. */
  async #last(name: string, size: number): Promise<Segment | null> {
    // None is longer, so that it is not before that.
    const after = keyOf(name, Math.max(0, size - MOST_PART_BYTES - 1));
    let last: Segment | null = null;
    const behind: string[] = [];
    for await (const segment of this.#listed(name, size > MOST_PART_BYTES ? after : undefined)) {
      if (segment.offset < size) last = segment;
      else behind.push(segment.key);
    }
    await this.#bucket.removeAll(behind);
    return last;
  }

  async #cut(segment: Segment, size: number): Promise<void> {
    const range = { start: 0, end: size - segment.offset };
    await this.#bucket.put(segment.key, await this.#bucket.readPart(segment.key, range));
  }

  /** Those that make up so many bytes, and where in the last one they end. Throws NotFoundError for a gap. */
  async #segments(name: string, size: number): Promise<UsedSegment[]> {
    const used: UsedSegment[] = [];
    let position = 0;
    for await (const segment of this.#listed(name)) {
      if (segment.offset !== position || position >= size) break;
      const end = Math.min(segment.size, size - position);
      used.push({ segment, end });
      position += end;
    }
    if (position < size) throw missingStaged(name);
    return used;
  }

  async *#listed(name: string, after?: string): AsyncGenerator<Segment> {
    const directory = directoryOf(name);
    for await (const object of this.#bucket.list(directory, after)) {
      yield { ...object, offset: Number(object.key.slice(directory.length)) };
    }
  }

  async *#bytes(name: string, size: number): AsyncGenerator<Buffer> {
    for (const { segment, end } of await this.#segments(name, size)) {
      yield* this.#bucket.read(segment.key, { start: 0, end }, () =>
        missingStaged(name),
      ) as AsyncIterable<Buffer>;
    }
  }

  /** Large segments are copied by the server; small ones, which it does not take as parts, are gathered. */
  async #join(segments: readonly UsedSegment[], key: string): Promise<void> {
    const upload = await S3MultipartUpload.start(this.#bucket, key);
    try {
      let small: UsedSegment[] = [];
      let smallBytes = 0;
      const flush = async (): Promise<void> => {
        if (smallBytes > 0) await upload.add(await this.#gathered(small));
        small = [];
        smallBytes = 0;
      };
      for (const [index, used] of segments.entries()) {
        const isLarge = used.end >= LEAST_PART_BYTES || index === segments.length - 1;
        if (smallBytes === 0 && isLarge) await upload.addCopy(used.segment.key, rangeOf(used));
        else {
          small.push(used);
          smallBytes += used.end;
          if (smallBytes >= LEAST_PART_BYTES) await flush();
        }
      }
      await flush();
      await upload.complete();
    } catch (error) {
      await upload.abort().catch(() => undefined);
      throw error;
    }
  }

  async #gathered(segments: readonly UsedSegment[]): Promise<Buffer> {
    const atOnce = pLimit(COPIES);
    const read = segments.map((used) => atOnce(() => this.#bucket.readPart(used.segment.key, rangeOf(used))));
    return Buffer.concat(await Promise.all(read));
  }
}

const COPIES = 8;

interface Segment extends S3Object {
  offset: number;
}

interface UsedSegment {
  segment: Segment;
  /** So many of its bytes count. */
  end: number;
}

function directoryOf(name: string): string {
  requireStagedName(name);
  return `${UPLOADS}${name}/`;
}

/** Keys are listed in the order of their offsets. */
function keyOf(name: string, offset: number): string {
  return directoryOf(name) + String(offset).padStart(16, '0');
}

function endOf({ offset, size }: Segment): number {
  return offset + size;
}

function rangeOf({ end }: UsedSegment): ByteRange {
  return { start: 0, end };
}

/** Segments on their way at a time. */
const SENT_AT_ONCE = 2;
const sentByAll = pLimit(12);

/** Fills a segment while others are on their way. */
class S3StagedBlob implements StagedBlob {
  readonly #bucket: S3Bucket;
  readonly #keyOf: (offset: number) => string;
  /** In the order of their offsets. */
  readonly #sending: { end: number; sent: Promise<void> }[] = [];
  #kept: number;
  #offset: number;
  #segment: Buffer | null = null;
  #filled = 0;
  #failure: { error: unknown } | null = null;

  constructor(bucket: S3Bucket, keyAt: (offset: number) => string, size: number) {
    this.#bucket = bucket;
    this.#keyOf = keyAt;
    this.#kept = size;
    this.#offset = size;
  }

  get kept(): number {
    return this.#kept;
  }

  async write(chunks: readonly Uint8Array[], onWritten?: () => void): Promise<void> {
    if (this.#failure) throw this.#failure.error;
    for (const chunk of chunks) {
      for (let rest = chunk; rest.byteLength > 0; ) {
        this.#segment ??= Buffer.allocUnsafeSlow(partBytesAt(this.#offset));
        const taken = rest.subarray(0, this.#segment.length - this.#filled);
        this.#segment.set(taken, this.#filled);
        this.#filled += taken.byteLength;
        rest = rest.subarray(taken.byteLength);
        if (this.#filled === this.#segment.length) await this.#send();
      }
    }
    // They were copied: nobody reads them any more.
    onWritten?.();
  }

  async close(): Promise<void> {
    if (this.#filled > 0 && !this.#failure) await this.#send();
    while (this.#sending.length > 0) await this.#oldest();
    if (this.#failure) throw this.#failure.error;
  }

  async #send(): Promise<void> {
    const whole = this.#segment!;
    const segment = whole.subarray(0, this.#filled);
    const key = this.#keyOf(this.#offset);
    this.#segment = null;
    this.#filled = 0;
    const end = this.#offset + segment.length;
    this.#offset = end;
    const sent = sentByAll(async () => {
      await this.#bucket.put(key, segment);
      releaseBuffers([whole]);
    }).catch((error: unknown) => {
      this.#failure ??= { error };
    });
    this.#sending.push({ end, sent });
    if (this.#sending.length > SENT_AT_ONCE) await this.#oldest();
    if (this.#failure) throw this.#failure.error;
  }

  async #oldest(): Promise<void> {
    const { end, sent } = this.#sending[0]!;
    await sent;
    this.#sending.shift();
    // What lies behind one that failed cannot be gone on from.
    if (!this.#failure) this.#kept = end;
  }
}
