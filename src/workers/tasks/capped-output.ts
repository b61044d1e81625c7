import type { LogWriter } from '../../domain/logs/log-writer.ts';

/** What a build writes, up to so many bytes; where it is cut, and how much is missing, the log says. */
export class CappedOutput {
  readonly #log: LogWriter;
  readonly #most: number;
  #bytes = 0;
  #dropped = 0;

  constructor(log: LogWriter, most: number) {
    this.#log = log;
    this.#most = most;
  }

  /** A promise when lines come faster than the database takes them. */
  write(line: string): Promise<void> | null {
    if (this.#dropped > 0) {
      this.#dropped += 1;
      return null;
    }
    this.#bytes += Buffer.byteLength(line) + 1;
    if (this.#bytes > this.#most) {
      this.#dropped = 1;
      this.#log.warn(
        `[output cut: of what follows nothing is kept, since it is more than ${this.#most} bytes]`,
      );
      return null;
    }
    this.#log.info(line);
    return this.#log.room();
  }

  end(): void {
    if (this.#dropped > 0) this.#log.warn(`[output cut: ${this.#dropped} lines were left out]`);
  }
}
