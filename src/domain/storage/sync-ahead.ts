import type { FileHandle } from 'node:fs/promises';

/** Written bytes that may lie in the memory of the system before it is told to write them to the disk. */
const SYNC_BYTES = 32 * 1024 * 1024;

/** Has a long file written to the disk while more of it comes: the sync at its end finds little left to do. */
export class SyncAhead {
  readonly #file: FileHandle;
  #syncedAt: number;
  #syncing: Promise<void> | null = null;

  constructor(file: FileHandle, position = 0) {
    this.#file = file;
    this.#syncedAt = position;
  }

  /** The file is written up to there. Waits for nothing. */
  written(position: number): void {
    if (this.#syncing !== null || position - this.#syncedAt < SYNC_BYTES) return;
    this.#syncedAt = position;
    this.#syncing = this.#file.datasync().then(() => {
      this.#syncing = null;
    });
    this.#syncing.catch(() => undefined);
  }

  /** Before the file is closed. Throws what went wrong on the way: the system tells of a failure once. */
  async end(): Promise<void> {
    await this.#syncing;
  }
}
