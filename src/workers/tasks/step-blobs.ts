import type { Readable } from 'node:stream';
import type { Database } from '../../domain/database/database.ts';
import { unnamedBlobs } from '../../domain/database/sql/unnamed-blobs.ts';
import type {
  BlobStore,
  BlobWriter,
  ByteRange,
  Digest,
  StoredBlob,
  WriteOptions,
} from '../../domain/storage/blob-store.ts';

/** Blobs that running steps of this process have written and not yet named, with the number of steps that did. */
const inUse = new Map<Digest, number>();

/**
 * The store as one step sees it: remembers what the step wrote. When the step fails, blobs that nothing names and no
 * other step of this process has written are removed at once; the garbage collection finds the rest.
 */
export class StepBlobs implements BlobStore {
  readonly #store: BlobStore;
  readonly #database: Database;
  readonly #written = new Map<Digest, StoredBlob>();

  constructor(store: BlobStore, database: Database) {
    this.#store = store;
    this.#database = database;
  }

  /** Everything that was written through this object. */
  get written(): StoredBlob[] {
    return [...this.#written.values()];
  }

  /** The step succeeded: what it wrote has names now. */
  keep(): void {
    for (const digest of this.#written.keys()) release(digest);
    this.#written.clear();
  }

  /** The step failed: removes what nobody else needs. */
  async drop(): Promise<void> {
    const mine = [...this.#written.keys()];
    this.#written.clear();
    const unshared = mine.filter((digest) => release(digest));
    const unnamed = await unnamedBlobs(this.#database.sql, unshared).catch(() => []);
    for (const digest of unnamed) await this.#store.delete(digest).catch(() => undefined);
  }

  async write(
    content: Readable | AsyncIterable<Uint8Array> | Uint8Array,
    options?: WriteOptions,
  ): Promise<StoredBlob> {
    return this.#remember(await this.#store.write(content, options));
  }

  async createWriter(options?: WriteOptions): Promise<BlobWriter> {
    const writer = await this.#store.createWriter(options);
    return {
      write: (chunk) => writer.write(chunk),
      get size() {
        return writer.size;
      },
      commit: async () => this.#remember(await writer.commit()),
      abort: () => writer.abort(),
    };
  }

  sync(blobs: readonly Digest[]): Promise<void> {
    return this.#store.sync(blobs);
  }

  read(digest: Digest, range?: ByteRange): Readable {
    return this.#store.read(digest, range);
  }

  readWhole(digest: Digest, maxBytes?: number): Promise<Buffer> {
    return this.#store.readWhole(digest, maxBytes);
  }

  size(digest: Digest): Promise<number | null> {
    return this.#store.size(digest);
  }

  delete(digest: Digest): Promise<void> {
    return this.#store.delete(digest);
  }

  list(): AsyncIterable<{ digest: Digest; size: number; writtenAt: Date }> {
    return this.#store.list();
  }

  localPath(digest: Digest): string | null {
    return this.#store.localPath(digest);
  }

  sweepTemporaryFiles(isAlive: (pid: number) => boolean): Promise<number> {
    return this.#store.sweepTemporaryFiles(isAlive);
  }

  check(): Promise<void> {
    return this.#store.check();
  }

  #remember(blob: StoredBlob): StoredBlob {
    if (!this.#written.has(blob.digest)) {
      this.#written.set(blob.digest, blob);
      inUse.set(blob.digest, (inUse.get(blob.digest) ?? 0) + 1);
    }
    return blob;
  }
}

/** True when no other step of this process holds the blob. */
function release(digest: Digest): boolean {
  const left = (inUse.get(digest) ?? 1) - 1;
  if (left > 0) inUse.set(digest, left);
  else inUse.delete(digest);
  return left <= 0;
}
