import { type NewArtifact, recordArtifacts } from '../../domain/database/sql/artifacts-record.ts';
import type { SqlExecutor } from '../../domain/database/sql-executor.ts';
import type { BlobStore } from '../../domain/storage/blob-store.ts';

const BATCH = 512;
const BATCH_MS = 250;

interface Waiting {
  artifact: NewArtifact;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Gives fetched blobs their names, in batches: first the blobs are durable, then the rows that name them are committed.
 * A batch goes when it is full, when it has waited long enough, or when nothing more is on its way.
 */
export class ArtifactRecorder {
  readonly #sql: SqlExecutor;
  readonly #blobs: BlobStore;
  readonly #holder: string;
  #waiting: Waiting[] = [];
  #onTheWay = 0;
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();

  constructor(sql: SqlExecutor, blobs: BlobStore, holder: string) {
    this.#sql = sql;
    this.#blobs = blobs;
    this.#holder = holder;
  }

  /** Runs work that may end in {@link record}; the batch waits for it a little. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#onTheWay += 1;
    try {
      return await work();
    } finally {
      this.#onTheWay -= 1;
      this.#flushWhenIdle();
    }
  }

  /** Resolves when the artefact is committed. */
  record(artifact: NewArtifact): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ artifact, resolve, reject });
      if (this.#waiting.length >= BATCH) this.#flush();
      else this.#timer ??= setTimeout(() => this.#flush(), BATCH_MS);
      this.#flushWhenIdle();
    });
  }

  /** Everybody who is on the way waits for the batch. */
  #flushWhenIdle(): void {
    if (this.#waiting.length > 0 && this.#waiting.length >= this.#onTheWay) this.#flush();
  }

  #flush(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    const batch = this.#waiting;
    this.#waiting = [];
    if (batch.length === 0) return;
    this.#writing = this.#writing.then(() => this.#write(batch));
  }

  async #write(batch: Waiting[]): Promise<void> {
    const artifacts = [...new Map(batch.map(({ artifact }) => [artifact.key, artifact])).values()];
    try {
      await this.#blobs.sync(artifacts.map((artifact) => artifact.blob.digest));
      await recordArtifacts(this.#sql, artifacts, this.#holder);
      for (const one of batch) one.resolve();
    } catch (error) {
      for (const one of batch) one.reject(error);
    }
  }
}
