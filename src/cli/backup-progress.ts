import type { DumpedTable } from '../domain/backup/backup-format.ts';
import { formatBytes, formatCount } from './prefetch/quantities.ts';

const PROGRESS_MS = 2_000;

/** Says on standard error how far a backup or a restore is, unless it is over soon. */
export class BackupProgress {
  #toldAt = Date.now();
  #tables = 0;
  #rows = 0;
  readonly #read = { blobs: 0, bytes: 0 };

  readonly table = ({ rows }: DumpedTable): void => {
    this.#tables += 1;
    this.#rows += rows;
    this.#tell(() => `${formatCount(this.#rows)} rows of ${this.#tables} tables so far`);
  };

  readonly blobs = ({ copied, bytes, present }: { copied: number; bytes: number; present: number }): void => {
    this.#tell(
      () => `${formatCount(copied)} blobs copied (${formatBytes(bytes)}), ${present} present so far`,
    );
  };

  readonly read = (size: number): void => {
    this.#read.blobs += 1;
    this.#read.bytes += size;
    this.#tell(() => `${formatCount(this.#read.blobs)} blobs read (${formatBytes(this.#read.bytes)}) so far`);
  };

  #tell(text: () => string): void {
    if (Date.now() - this.#toldAt < PROGRESS_MS) return;
    this.#toldAt = Date.now();
    process.stderr.write(`${text()}\n`);
  }
}
