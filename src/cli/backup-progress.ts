import type { DumpedTable } from '../domain/backup/backup-format.ts';
import { formatBytes, formatCount } from './prefetch/quantities.ts';

const PROGRESS_MS = 2_000;

/** Says on standard error every two seconds how far a backup or a restore is. */
export class BackupProgress {
  readonly #timer = setInterval(() => process.stderr.write(`${this.#text()}\n`), PROGRESS_MS).unref();
  #rows = 0;
  #read = { blobs: 0, bytes: 0 };
  #text: () => string = () => 'looking at what is there';

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Begins with something that may take long: a table, an index. */
  readonly step = (name: string): void => {
    this.#text = () => `${name}, after ${formatCount(this.#rows)} rows so far`;
  };

  readonly table = ({ rows }: DumpedTable): void => {
    this.#rows += rows;
  };

  readonly blobs = ({ copied, bytes, present }: { copied: number; bytes: number; present: number }): void => {
    this.#text = () =>
      `${formatCount(copied)} blobs copied (${formatBytes(bytes)}), ${formatCount(present)} present so far`;
  };

  readonly read = (size: number): void => {
    this.#read = { blobs: this.#read.blobs + 1, bytes: this.#read.bytes + size };
    const { blobs, bytes } = this.#read;
    this.#text = () => `${formatCount(blobs)} blobs read (${formatBytes(bytes)}) so far`;
  };
}
