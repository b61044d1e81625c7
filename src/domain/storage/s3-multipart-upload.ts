import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import pLimit from 'p-limit';
import type { ByteRange } from './blob-store.ts';
import { releaseBuffers } from './release-buffers.ts';
import { isMissing, type S3Bucket } from './s3-bucket.ts';

/** The server takes no smaller part, but as the last one. */
export const LEAST_PART_BYTES = 5 * 1024 * 1024;
export const MOST_PART_BYTES = 32 * 1024 * 1024;
const MIB = 1024 * 1024;

/** Of a part that begins at this offset: there may be 10,000 parts, so those of very large objects are larger. */
export function partBytesAt(offset: number): number {
  return offset < 8 * 1024 * MIB ? 8 * MIB : MOST_PART_BYTES;
}

/** Parts on their way at a time: of one object, and of all objects of the process. */
const PARTS_OF_ONE = 3;
const partsOfAll = pLimit(12);

/** An object that comes in parts and is there when the last one is; until then nobody sees anything of it. */
export class S3MultipartUpload {
  readonly #bucket: S3Bucket;
  readonly #key: string;
  readonly #id: string;
  readonly #stopping = new AbortController();
  readonly #signal: AbortSignal;
  readonly #parts: CompletedPart[] = [];
  readonly #running = new Set<Promise<void>>();
  #failure: { error: unknown } | null = null;

  private constructor(bucket: S3Bucket, key: string, id: string, signal?: AbortSignal) {
    this.#bucket = bucket;
    this.#key = key;
    this.#id = id;
    this.#signal = signal ? AbortSignal.any([signal, this.#stopping.signal]) : this.#stopping.signal;
  }

  static async start(bucket: S3Bucket, key: string, signal?: AbortSignal): Promise<S3MultipartUpload> {
    const started = await bucket.call(
      (options) => bucket.client.send(new CreateMultipartUploadCommand(bucket.target(key)), options),
      signal,
    );
    return new S3MultipartUpload(bucket, key, started.UploadId!, signal);
  }

  /** Resolves when there is room for the next part. The memory of the bytes is given back when the server has them. */
  async add(body: Buffer): Promise<void> {
    await this.#enqueue(async (part, options) => {
      const input = { ...part, Body: body, ContentLength: body.byteLength };
      const { ETag } = await this.#bucket.client.send(new UploadPartCommand(input), options);
      releaseBuffers([body]);
      return ETag;
    });
  }

  /** The same for bytes that the server has already. */
  async addCopy(source: string, { start, end }: ByteRange): Promise<void> {
    await this.#enqueue(async (part, options) => {
      const range = { CopySource: this.#bucket.source(source), CopySourceRange: `bytes=${start}-${end - 1}` };
      const copied = await this.#bucket.client.send(
        new UploadPartCopyCommand({ ...part, ...range }),
        options,
      );
      return copied.CopyPartResult?.ETag;
    });
  }

  async complete(): Promise<void> {
    await Promise.all(this.#running);
    this.#throwFailure();
    const input = { ...this.#target, MultipartUpload: { Parts: this.#parts } };
    try {
      await this.#bucket.call(
        (options) => this.#bucket.client.send(new CompleteMultipartUploadCommand(input), options),
        this.#signal,
      );
    } catch (error) {
      // The client has asked again because it did not hear the first answer.
      if (!isMissing(error) || (await this.#bucket.head(this.#key)) === null) throw error;
    }
  }

  /** Nothing of it stays. */
  async abort(): Promise<void> {
    this.#stopping.abort(new DOMException('the upload was given up', 'AbortError'));
    // A part that comes later than this would stay.
    await Promise.all(this.#running);
    await this.#bucket
      .call((options) => this.#bucket.client.send(new AbortMultipartUploadCommand(this.#target), options))
      .catch((error: unknown) => {
        if (!isMissing(error)) throw error;
      });
  }

  get #target() {
    return { ...this.#bucket.target(this.#key), UploadId: this.#id };
  }

  async #enqueue(
    send: (
      part: { Bucket: string; Key: string; UploadId: string; PartNumber: number },
      options: { abortSignal?: AbortSignal },
    ) => Promise<string | undefined>,
  ): Promise<void> {
    this.#throwFailure();
    const part: CompletedPart = { PartNumber: this.#parts.length + 1, ETag: undefined };
    this.#parts.push(part);
    const input = { ...this.#target, PartNumber: part.PartNumber! };
    const sent = partsOfAll(async () => {
      part.ETag = await this.#bucket.call((options) => send(input, options), this.#signal);
    });
    const running: Promise<void> = sent
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
    if (this.#running.size >= PARTS_OF_ONE) await Promise.race(this.#running);
    this.#throwFailure();
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error;
  }
}

/** One call copies at most 5 GiB, and takes long for much less: larger objects are copied in pieces side by side. */
const WHOLE_BYTES = 256 * MIB;
const COPIED_BYTES = 128 * MIB;

/** Within the server. */
export async function copyObject(bucket: S3Bucket, from: string, to: string, size: number): Promise<void> {
  if (size <= WHOLE_BYTES) return await bucket.copy(from, to);
  const upload = await S3MultipartUpload.start(bucket, to);
  try {
    for (let start = 0; start < size; start += COPIED_BYTES) {
      await upload.addCopy(from, { start, end: Math.min(start + COPIED_BYTES, size) });
    }
    await upload.complete();
  } catch (error) {
    await upload.abort().catch(() => undefined);
    throw error;
  }
}
