import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { NotFoundError } from '../../src/domain/errors.ts';
import type { BlobStore, Digest, StoredBlob } from '../../src/domain/storage/blob-store.ts';

/** Blobs in a map, for tests of code that reads and writes blobs. */
export class MemoryBlobStore implements BlobStore {
  readonly blobs = new Map<Digest, Buffer>();

  put(content: Uint8Array): StoredBlob {
    const bytes = Buffer.from(content);
    const digest: Digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    this.blobs.set(digest, bytes);
    return { digest, size: bytes.length, crc32: crc32(bytes) };
  }

  async write(content: Readable | AsyncIterable<Uint8Array> | Uint8Array): Promise<StoredBlob> {
    if (content instanceof Uint8Array) return this.put(content);
    const chunks: Uint8Array[] = [];
    for await (const chunk of content) chunks.push(chunk);
    return this.put(Buffer.concat(chunks));
  }

  async createWriter() {
    const chunks: Uint8Array[] = [];
    return {
      get size() {
        return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      },
      async write(chunk: Uint8Array) {
        chunks.push(Buffer.from(chunk));
      },
      commit: async () => this.put(Buffer.concat(chunks)),
      async abort() {
        chunks.length = 0;
      },
    };
  }

  async sync(): Promise<void> {}

  read(digest: Digest, range?: { start: number; end: number }): Readable {
    const bytes = this.bytes(digest);
    return Readable.from([range ? bytes.subarray(range.start, range.end) : bytes]);
  }

  async readPart(digest: Digest, range: { start: number; end: number }): Promise<Buffer> {
    return this.bytes(digest).subarray(range.start, range.end);
  }

  async readWhole(digest: Digest): Promise<Buffer> {
    return this.bytes(digest);
  }

  async size(digest: Digest): Promise<number | null> {
    return this.blobs.get(digest)?.length ?? null;
  }

  async delete(digest: Digest): Promise<void> {
    this.blobs.delete(digest);
  }

  async setAside(digest: Digest): Promise<void> {
    this.blobs.delete(digest);
  }

  async *list() {
    for (const [digest, bytes] of this.blobs) yield { digest, size: bytes.length, writtenAt: new Date(0) };
  }

  localPath(): null {
    return null;
  }

  async sweepTemporaryFiles(): Promise<number> {
    return 0;
  }

  async check(): Promise<void> {}

  private bytes(digest: Digest): Buffer {
    const bytes = this.blobs.get(digest);
    if (!bytes) throw new NotFoundError(`There is no blob ${digest}`);
    return bytes;
  }
}
