import { Readable } from 'node:stream';
import { AbortMultipartUploadCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { InvalidInputError } from '../errors.ts';
import { missingBlob } from './blob-names.ts';
import type { BlobWriter, ByteRange, Digest, StoredBlob, WriteOptions } from './blob-store.ts';
import { S3BlobWriter } from './s3-blob-writer.ts';
import { isMissing, S3Bucket, type S3Location } from './s3-bucket.ts';
import { S3Deletions } from './s3-deletions.ts';
import { BLOBS, CHECK, damagedKey, keyOf, MARKS, TEMPORARY } from './s3-keys.ts';
import { copyObject } from './s3-multipart-upload.ts';
import { S3StagedBlobs } from './s3-staged-blobs.ts';
import type { StagedBlobs, StagingStore } from './staged-blobs.ts';
import { writeBlob } from './write-blob.ts';

/**
 * Blobs as objects of a bucket that any number of machines share; {@link file://./s3-keys.ts} says what lies where. What the
 * server has acknowledged is durable, so that nothing is synced here.
 */
export class S3BlobStore implements StagingStore {
  readonly #bucket: S3Bucket;
  readonly #deletions: S3Deletions;
  /** Of things in between, from which on nobody can be at work on them any more. */
  readonly #temporaryAgeMs: number;
  #sweptAt = 0;
  #wroteAt = 0;

  constructor(location: S3Location, { temporaryAgeMs = DAY_MS }: { temporaryAgeMs?: number } = {}) {
    this.#bucket = new S3Bucket(location);
    this.#deletions = new S3Deletions(this.#bucket);
    this.#temporaryAgeMs = temporaryAgeMs;
  }

  openStaging(): StagedBlobs {
    return new S3StagedBlobs(this, this.#bucket);
  }

  async write(
    content: Readable | AsyncIterable<Uint8Array> | Uint8Array,
    options: WriteOptions = {},
  ): Promise<StoredBlob> {
    return await writeBlob(this, content, options);
  }

  async createWriter(options: WriteOptions = {}): Promise<BlobWriter> {
    options.signal?.throwIfAborted();
    if (options.expectedDigest !== undefined) keyOf(options.expectedDigest);
    return new S3BlobWriter(this, this.#bucket, options);
  }

  /** Whatever was written is durable. */
  async sync(): Promise<void> {}

  read(digest: Digest, range?: ByteRange): Readable {
    const key = keyOf(digest);
    if (range && range.end <= range.start) return Readable.from([]);
    return this.#bucket.read(key, range, () => missingBlob(digest));
  }

  async readPart(digest: Digest, range: ByteRange): Promise<Buffer> {
    const wanted = range.end - range.start;
    if (wanted === 0) return Buffer.alloc(0);
    const bytes = await this.#bucket.readPart(keyOf(digest), range, () => missingBlob(digest));
    if (bytes.length < wanted) throw new Error(`The blob ${digest} is shorter than it was`);
    return bytes;
  }

  async readWhole(digest: Digest, maxBytes = 64 * 1024 * 1024): Promise<Buffer> {
    // Most are small: their size is known when they are there.
    const bytes = await this.#bucket.readPart(keyOf(digest), { start: 0, end: maxBytes + 1 }, () =>
      missingBlob(digest),
    );
    if (bytes.length <= maxBytes) return bytes;
    throw new InvalidInputError(`The blob ${digest} has more than ${maxBytes} bytes`);
  }

  async size(digest: Digest): Promise<number | null> {
    return (await this.#bucket.head(keyOf(digest)))?.size ?? null;
  }

  async delete(digest: Digest, { writtenBefore }: { writtenBefore?: Date } = {}): Promise<void> {
    const key = keyOf(digest);
    if (!writtenBefore) return await this.#bucket.remove(key);
    const object = await this.#bucket.head(key);
    if (object === null || object.writtenAt >= writtenBefore) return;
    await this.#deletions.removeIfWrittenBefore(digest, writtenBefore);
  }

  async setAside(digest: Digest): Promise<void> {
    const key = keyOf(digest);
    const object = await this.#bucket.head(key);
    if (object === null) return;
    try {
      await copyObject(this.#bucket, key, damagedKey(digest), object.size);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    await this.#bucket.remove(key);
  }

  async *list(): AsyncIterable<{ digest: Digest; size: number; writtenAt: Date }> {
    for await (const { key, size, writtenAt } of this.#bucket.list(BLOBS)) {
      const hex = /^sha256\/[0-9a-f]{2}\/([0-9a-f]{64})$/.exec(key)?.[1];
      if (hex) yield { digest: `sha256:${hex}`, size, writtenAt };
    }
  }

  localPath(): null {
    return null;
  }

  async presignedUrl(digest: Digest, seconds: number): Promise<string> {
    return await this.#bucket.presignedUrl(keyOf(digest), seconds);
  }

  /** By age: writers are anywhere. Asked for often, it looks now and then. */
  async sweepTemporaryFiles(): Promise<number> {
    const now = Date.now();
    if (now - this.#sweptAt < Math.min(SWEEP_MS, this.#temporaryAgeMs)) return 0;
    this.#sweptAt = now;
    const before = now - this.#temporaryAgeMs;
    return (await this.#abortUploads(before)) + (await this.#removeLeftObjects(before));
  }

  /** Writes now and then, not each time: somebody may ask every second. */
  async check({ space = false }: { space?: boolean } = {}): Promise<void> {
    const now = performance.now();
    if (!space && this.#wroteAt > 0 && now - this.#wroteAt < WRITE_CHECK_MS)
      return await this.#bucket.check();
    await this.#bucket.put(CHECK, new Uint8Array());
    this.#wroteAt = now;
  }

  async freeBytes(): Promise<null> {
    return null;
  }

  /** Writes a small blob; true: there was one already, which then is as if written now. */
  async put(bytes: Uint8Array, digest: Digest, signal?: AbortSignal): Promise<boolean> {
    const key = keyOf(digest);
    for (;;) {
      if (await this.#bucket.put(key, bytes, { ifAbsent: true, signal })) return false;
      await this.#bucket.put(key, bytes, { signal });
      if (await this.#deletions.survives(digest, signal)) return true;
    }
  }

  /** Makes a blob of what `write` puts at its key, whatever its size; true: as for {@link put}. */
  async replace(
    digest: Digest,
    write: (key: string) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<boolean> {
    const key = keyOf(digest);
    const wasThere = (await this.#bucket.head(key)) !== null;
    do await write(key);
    while (!(await this.#deletions.survives(digest, signal)));
    return wasThere;
  }

  async #abortUploads(before: number): Promise<number> {
    const { Bucket, Key: Prefix } = this.#bucket.target('');
    let removed = 0;
    let markers = {};
    for (;;) {
      const input = { Bucket, Prefix, ...markers };
      const { client } = this.#bucket;
      const page = await this.#bucket.call((options) =>
        client.send(new ListMultipartUploadsCommand(input), options),
      );
      for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
        if (!Initiated || Initiated.getTime() >= before) continue;
        const upload = new AbortMultipartUploadCommand({ Bucket, Key, UploadId });
        await this.#bucket
          .call((options) => client.send(upload, options))
          .catch((error: unknown) => {
            if (!isMissing(error)) throw error;
          });
        removed += 1;
      }
      if (!page.IsTruncated) return removed;
      markers = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
    }
  }

  async #removeLeftObjects(before: number): Promise<number> {
    const left: string[] = [];
    for (const below of [TEMPORARY, MARKS]) {
      for await (const { key, writtenAt } of this.#bucket.list(below)) {
        if (writtenAt.getTime() < before) left.push(key);
      }
    }
    await this.#bucket.removeAll(left);
    return left.length;
  }
}

const DAY_MS = 24 * 3600 * 1000;
const SWEEP_MS = 10 * 60 * 1000;
const WRITE_CHECK_MS = 30_000;
