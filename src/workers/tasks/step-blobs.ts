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
import { inSpan } from '../../domain/tracing/span.ts';

interface Use {
  /** Running steps of this process that have written the blob and not yet named it. */
  steps: number;
  /** Whether one of them brought it; otherwise it may belong to a step of another worker, and stays. */
  isOurs: boolean;
  /** Of the last write. */
  writtenAt: number;
}

const inUse = new Map<Digest, Use>();

/**
 * The store as one step sees it: remembers what the step wrote. When the step fails, blobs that nothing names and no
 * other step of this process has written are removed at once; the garbage collection finds the rest.
 */
export class StepBlobs implements BlobStore {
  readonly #store: BlobStore;
  readonly #database: Database;
  readonly #written = new Map<Digest, StoredBlob>();
  /** Of what was written: no need to wait for the disk once more. */
  readonly #durable = new WeakSet<StoredBlob>();

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
    const ours = new Map<Digest, Use>();
    for (const digest of mine) {
      const use = release(digest);
      if (use?.isOurs) ours.set(digest, use);
    }
    const unnamed = await unnamedBlobs(this.#database.sql, [...ours.keys()]).catch(() => []);
    for (const digest of unnamed) {
      // Another worker that has written the same bytes since then is about to name them.
      const writtenBefore = new Date(ours.get(digest)!.writtenAt + CLOCK_MS);
      await this.#store.delete(digest, { writtenBefore }).catch(() => undefined);
    }
  }

  async write(
    content: Readable | AsyncIterable<Uint8Array> | Uint8Array,
    options?: WriteOptions,
  ): Promise<StoredBlob> {
    const watch = new PresenceWatch(options);
    return this.#remember(await this.#store.write(content, watch.options), watch);
  }

  async createWriter(options?: WriteOptions): Promise<BlobWriter> {
    const watch = new PresenceWatch(options);
    const writer = await this.#store.createWriter(watch.options);
    return {
      write: (chunk) => writer.write(chunk),
      get size() {
        return writer.size;
      },
      commit: async () => this.#remember(await writer.commit(), watch),
      abort: () => writer.abort(),
    };
  }

  async sync(blobs: readonly Digest[]): Promise<void> {
    // What is written again while this runs is another object, and not durable by it.
    const written = blobs.flatMap((digest) => this.#written.get(digest) ?? []);
    const pending = blobs.filter((digest) => !this.#isDurable(digest));
    await inSpan('sync blobs', { 'stowage.blobs': pending.length }, () => this.#store.sync(pending));
    for (const blob of written) this.#durable.add(blob);
  }

  read(digest: Digest, range?: ByteRange): Readable {
    return this.#store.read(digest, range);
  }

  readPart(digest: Digest, range: ByteRange): Promise<Buffer> {
    return this.#store.readPart(digest, range);
  }

  readWhole(digest: Digest, maxBytes?: number): Promise<Buffer> {
    return this.#store.readWhole(digest, maxBytes);
  }

  size(digest: Digest): Promise<number | null> {
    return this.#store.size(digest);
  }

  setAside(digest: Digest): Promise<void> {
    return this.#store.setAside(digest);
  }

  delete(digest: Digest, options?: { writtenBefore?: Date }): Promise<void> {
    return this.#store.delete(digest, options);
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

  check(options?: Parameters<BlobStore['check']>[0]): Promise<void> {
    return this.#store.check(options);
  }

  freeBytes(): Promise<number | null> {
    return this.#store.freeBytes();
  }

  #isDurable(digest: Digest): boolean {
    const blob = this.#written.get(digest);
    return blob !== undefined && this.#durable.has(blob);
  }

  #remember(blob: StoredBlob, { wasPresent, options }: PresenceWatch): StoredBlob {
    const { digest } = blob;
    if (options.durability !== 'batch') this.#durable.add(blob);
    const use = inUse.get(digest) ?? { steps: 0, isOurs: false, writtenAt: 0 };
    if (!this.#written.has(digest)) use.steps += 1;
    use.isOurs ||= !wasPresent;
    use.writtenAt = Date.now();
    inUse.set(digest, use);
    this.#written.set(digest, blob);
    return blob;
  }
}

/** Notices whether the store had what is written. */
class PresenceWatch {
  wasPresent = false;
  readonly options: WriteOptions;

  constructor(options: WriteOptions = {}) {
    this.options = {
      ...options,
      onPresent: () => {
        this.wasPresent = true;
        options.onPresent?.();
      },
    };
  }
}

/** How far the clock of a file system may be from that of the process. */
const CLOCK_MS = 5;

/** The use that ends, when this was the last step of the process that had it. */
function release(digest: Digest): Use | null {
  const use = inUse.get(digest);
  if (!use) return null;
  use.steps -= 1;
  if (use.steps > 0) return null;
  inUse.delete(digest);
  return use;
}
