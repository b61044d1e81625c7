import { Readable } from 'node:stream';
import { InvalidChecksum } from '../errors.ts';
import type { StoredBlob } from '../storage/blob-store.ts';
import { type Chunk, rangeInvalid, tooLarge } from './receive-chunk.ts';
import { type Address, addressOf, isDigest } from './reference.ts';
import type { Registry } from './registry.ts';

/** Small blobs need no file in between. */
export function isSmall({ contentLength }: Chunk): boolean {
  return contentLength !== null && contentLength <= SMALL_BYTES;
}

const SMALL_BYTES = 256 * 1024;

/** Whether it may be a blob that comes all at once, as most small ones do. */
export function isWholeBlob(chunk: Chunk, mostBytes: number): boolean {
  const { contentLength, range } = chunk;
  if (!isSmall(chunk) || contentLength === 0 || contentLength! > mostBytes) return false;
  return range === null || (range.first === 0 && range.last + 1 === contentLength);
}

/** The body of a request, whole in memory. */
export class SmallBody {
  readonly #body: Readable;
  readonly #signal: AbortSignal | null;
  readonly #pieces: Buffer[] = [];
  #failure: unknown = null;

  /** Throws `blob-too-large`, `upload-range-invalid`. */
  constructor({ body, contentLength, range }: Chunk, mostBytes: number, signal: AbortSignal | null = null) {
    if (contentLength! > mostBytes) throw tooLarge(mostBytes);
    if (range && range.last - range.first + 1 !== contentLength) {
      throw rangeInvalid(0, 'the chunk has another length than its range');
    }
    this.#body = body;
    this.#signal = signal;
  }

  /** The connection broke before all had come. */
  get isBroken(): boolean {
    return this.#failure !== null;
  }

  /** The blob, durable; null: the bytes are not those of the address. */
  async store({ blobs }: Registry, address: Address): Promise<StoredBlob | null> {
    const bytes = await this.#bytes();
    if (!isDigest(address)) return addressOf(bytes, 'sha512') === address ? await blobs.write(bytes) : null;
    return await blobs.write(bytes, { expectedDigest: address }).catch((error: unknown) => {
      if (error instanceof InvalidChecksum) return null;
      throw error;
    });
  }

  /** All that has come, once more; it breaks where it broke. */
  again(): Readable {
    return Readable.from(this.#repeated());
  }

  async *#repeated(): AsyncIterable<Buffer> {
    yield* this.#pieces;
    if (this.#failure !== null) throw this.#failure;
  }

  /** Stops where the upload is to go on elsewhere. */
  async #bytes(): Promise<Buffer> {
    const stop = (): void => void this.#body.destroy(this.#signal?.reason);
    this.#signal?.addEventListener('abort', stop, { once: true });
    try {
      if (this.#signal?.aborted) stop();
      for await (const piece of this.#body as AsyncIterable<Buffer>) this.#pieces.push(piece);
      return Buffer.concat(this.#pieces);
    } catch (error) {
      this.#failure = error;
      throw error;
    } finally {
      this.#signal?.removeEventListener('abort', stop);
    }
  }
}
