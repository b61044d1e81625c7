import { BlobStoreUnavailableError } from '../errors.ts';
import { BlobHash } from './blob-hash.ts';
import type { BlobWriter, StoredBlob, WriteOptions } from './blob-store.ts';
import type { S3BlobStore } from './s3-blob-store.ts';
import type { S3Bucket } from './s3-bucket.ts';
import { keyOf, temporaryKey } from './s3-keys.ts';
import { copyObject, partBytesAt, S3MultipartUpload } from './s3-multipart-upload.ts';

/**
 * A small blob waits in memory and is one object when its digest is known. A larger one goes in parts: to its own key where
 * the digest was known from the beginning, since nothing is seen of it before it is complete and right; else to a temporary
 * one, from which the server copies it.
 */
export class S3BlobWriter implements BlobWriter {
  readonly #store: S3BlobStore;
  readonly #bucket: S3Bucket;
  readonly #options: WriteOptions;
  readonly #hash = new BlobHash();
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #upload: S3MultipartUpload | null = null;
  /** Complete, and to be removed. */
  #temporary: string | null = null;
  #finished = false;

  constructor(store: S3BlobStore, bucket: S3Bucket, options: WriteOptions) {
    this.#store = store;
    this.#bucket = bucket;
    this.#options = options;
  }

  get size(): number {
    return this.#hash.size;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#finished) throw new Error('The blob is finished');
    this.#options.signal?.throwIfAborted();
    this.#hash.update(chunk);
    // One chunk may be many parts.
    for (let rest = chunk; rest.byteLength > 0; ) {
      const room = partBytesAt(this.#hash.size) - this.#waitingBytes;
      const taken = rest.subarray(0, room);
      this.#waiting.push(taken);
      this.#waitingBytes += taken.byteLength;
      rest = rest.subarray(taken.byteLength);
      if (taken.byteLength === room) await this.#send();
    }
  }

  async commit(): Promise<StoredBlob> {
    if (this.#finished) throw new Error('The blob is finished');
    this.#finished = true;
    try {
      this.#options.signal?.throwIfAborted();
      const blob = this.#hash.finish(this.#options.expectedDigest);
      const wasThere = this.#upload
        ? await this.#finishParts(this.#upload, blob)
        : await this.#putWhole(blob);
      if (wasThere) this.#options.onPresent?.();
      return blob;
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  async abort(): Promise<void> {
    this.#finished = true;
    this.#waiting = [];
    const upload = this.#upload;
    this.#upload = null;
    // A server that is away keeps what it has, until somebody sweeps.
    await upload?.abort().catch(() => undefined);
    await this.#removeTemporary().catch(() => undefined);
  }

  async #putWhole({ digest }: StoredBlob): Promise<boolean> {
    return await this.#store.put(this.#taken(), digest, this.#options.signal);
  }

  async #finishParts(upload: S3MultipartUpload, { digest, size }: StoredBlob): Promise<boolean> {
    if (this.#waitingBytes > 0) await upload.add(this.#taken());
    const { expectedDigest, signal } = this.#options;
    if (expectedDigest !== undefined) {
      let isComplete = false;
      const complete = async (): Promise<void> => {
        // The parts are gone with the object: whoever sends them can only do so again.
        if (isComplete)
          throw new BlobStoreUnavailableError(`The blob ${digest} was deleted while it was written`);
        await upload.complete();
        isComplete = true;
        this.#upload = null;
      };
      return await this.#store.replace(digest, complete, signal);
    }
    await upload.complete();
    this.#upload = null;
    const wasThere = await this.#store.replace(
      digest,
      (key) => copyObject(this.#bucket, this.#temporary!, key, size),
      signal,
    );
    // What stays is swept.
    await this.#removeTemporary().catch(() => undefined);
    return wasThere;
  }

  async #send(): Promise<void> {
    this.#upload ??= await this.#start();
    await this.#upload.add(this.#taken());
  }

  async #start(): Promise<S3MultipartUpload> {
    const { expectedDigest, signal } = this.#options;
    if (expectedDigest === undefined) this.#temporary = temporaryKey();
    const key = expectedDigest === undefined ? this.#temporary! : keyOf(expectedDigest);
    return await S3MultipartUpload.start(this.#bucket, key, signal);
  }

  /** Of its own memory, which is given back when it has been sent. */
  #taken(): Buffer {
    const bytes = Buffer.concat(this.#waiting, this.#waitingBytes);
    this.#waiting = [];
    this.#waitingBytes = 0;
    return bytes;
  }

  async #removeTemporary(): Promise<void> {
    const temporary = this.#temporary;
    this.#temporary = null;
    if (temporary !== null) await this.#bucket.remove(temporary);
  }
}
