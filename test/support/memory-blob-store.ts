import { Readable } from 'node:stream';
import { InvalidInputError } from '../../src/domain/errors.ts';
import { BlobHash } from '../../src/domain/storage/blob-hash.ts';
import { hexOf, missingBlob } from '../../src/domain/storage/blob-names.ts';
import type {
  BlobStore,
  BlobWriter,
  ByteRange,
  Digest,
  StoredBlob,
  WriteOptions,
} from '../../src/domain/storage/blob-store.ts';
import { writeBlob } from '../../src/domain/storage/write-blob.ts';

/** Blobs in a map, for tests of code that reads and writes blobs. */
export class MemoryBlobStore implements BlobStore {
  readonly blobs = new Map<Digest, Buffer>();
  readonly #writtenAt = new Map<Digest, Date>();

  put(content: Uint8Array, { expectedDigest, onPresent }: WriteOptions = {}): StoredBlob {
    const bytes = Buffer.from(content);
    const hash = new BlobHash();
    hash.update(bytes);
    const blob = hash.finish(expectedDigest);
    if (this.blobs.has(blob.digest)) onPresent?.();
    this.blobs.set(blob.digest, bytes);
    this.#writtenAt.set(blob.digest, new Date());
    return blob;
  }

  async write(
    content: Readable | AsyncIterable<Uint8Array> | Uint8Array,
    options: WriteOptions = {},
  ): Promise<StoredBlob> {
    return await writeBlob(this, content, options);
  }

  async createWriter(options: WriteOptions = {}): Promise<BlobWriter> {
    options.signal?.throwIfAborted();
    let chunks: Uint8Array[] = [];
    let finished = false;
    const requireOpen = (): void => {
      if (finished) throw new Error('The blob is finished');
      options.signal?.throwIfAborted();
    };
    return {
      get size() {
        return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      },
      write: async (chunk) => {
        requireOpen();
        chunks.push(Buffer.from(chunk));
      },
      commit: async () => {
        requireOpen();
        finished = true;
        return this.put(Buffer.concat(chunks), options);
      },
      async abort() {
        finished = true;
        chunks = [];
      },
    };
  }

  async sync(): Promise<void> {}

  read(digest: Digest, range?: ByteRange): Readable {
    hexOf(digest);
    const bytes = this.blobs.get(digest);
    if (!bytes) return Readable.from(this.#failing(digest));
    return Readable.from([range ? bytes.subarray(range.start, range.end) : bytes]);
  }

  async readPart(digest: Digest, { start, end }: ByteRange): Promise<Buffer> {
    const part = this.#bytes(digest).subarray(start, end);
    if (part.length < end - start) throw new Error(`The blob ${digest} is shorter than it was`);
    return part;
  }

  async readWhole(digest: Digest, maxBytes = 64 * 1024 * 1024): Promise<Buffer> {
    const bytes = this.#bytes(digest);
    if (bytes.length > maxBytes)
      throw new InvalidInputError(`The blob ${digest} has more than ${maxBytes} bytes`);
    return bytes;
  }

  async size(digest: Digest): Promise<number | null> {
    hexOf(digest);
    return this.blobs.get(digest)?.length ?? null;
  }

  async delete(digest: Digest, { writtenBefore }: { writtenBefore?: Date } = {}): Promise<void> {
    const writtenAt = this.#writtenAt.get(digest);
    if (writtenBefore && writtenAt && writtenAt >= writtenBefore) return;
    this.blobs.delete(digest);
  }

  async setAside(digest: Digest): Promise<void> {
    this.blobs.delete(digest);
  }

  async *list() {
    for (const [digest, bytes] of this.blobs) {
      yield { digest, size: bytes.length, writtenAt: this.#writtenAt.get(digest) ?? new Date(0) };
    }
  }

  localPath(): null {
    return null;
  }

  async sweepTemporaryFiles(): Promise<number> {
    return 0;
  }

  async check(): Promise<void> {}

  async freeBytes(): Promise<null> {
    return null;
  }

  async *#failing(digest: Digest): AsyncGenerator<Buffer> {
    yield this.#bytes(digest);
  }

  #bytes(digest: Digest): Buffer {
    const bytes = this.blobs.get(digest);
    if (!bytes) throw missingBlob(digest);
    return bytes;
  }
}
