import type { Database } from '../database/database.ts';
import { type CountedPull, recordPulls } from '../database/sql/record-pulls.ts';

/**
 * Counts pulls without slowing them: they are written down together, a moment later. Each GET of a manifest counts
 * (bkrepo-docker.md 3.1), for its tag, or for the latest tag on its digest.
 */
export class PullRecorder {
  readonly #database: Database;
  readonly #onError: (error: unknown) => void;
  #counts = new Map<string, CountedPull>();
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();

  constructor(database: Database, onError: (error: unknown) => void) {
    this.#database = database;
    this.#onError = onError;
  }

  /** `tag` null: it was pulled by its digest. */
  record(manifestId: number, tag: string | null): void {
    const key = `${manifestId} ${tag ?? ''}`;
    const counted = this.#counts.get(key);
    if (counted) counted.pulls += 1;
    else this.#counts.set(key, { manifestId, tag, pulls: 1 });
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS);
  }

  /** Writes down what was counted until now. */
  async flush(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    const counts = [...this.#counts.values()];
    this.#counts = new Map();
    this.#writing = this.#writing.then(() => this.#write(counts));
    await this.#writing;
  }

  async close(): Promise<void> {
    await this.flush();
  }

  async #write(counts: readonly CountedPull[]): Promise<void> {
    if (counts.length === 0) return;
    try {
      await this.#database.transaction(async ({ sql }) => await recordPulls(sql, counts));
    } catch (error) {
      // Counts are not worth a failure of anything else.
      this.#onError(error);
    }
  }
}

const FLUSH_MS = 1_000;
