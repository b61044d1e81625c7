import type { Database } from '../database/database.ts';
import { appendLogLines } from '../database/sql/append-log-lines.ts';
import type { LogLevel, LogSubject, NewLogLine } from './log-line.ts';

const BATCH_LINES = 200;
/** Lines that come after each other are collected for so long; one that comes after a pause is sent almost at once. */
const BATCH_MS = 50;
const AFTER_PAUSE_MS = 5;
const LONGEST_LINE = 16_384;

/**
 * Writes lines of one source to a subject's log in batches. `flush` before the state that the lines explain is
 * committed; a failing database makes `flush` throw, never the caller's `info`.
 */
export class LogWriter {
  readonly #database: Database;
  readonly #subject: LogSubject;
  readonly #source: string;
  readonly #mask: (text: string) => string;
  #pending: NewLogLine[] = [];
  #writing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | null = null;
  #sentAt = Number.NEGATIVE_INFINITY;
  #failure: unknown = null;

  constructor(
    database: Database,
    subject: LogSubject,
    source: string,
    mask = (text: string): string => text,
  ) {
    this.#database = database;
    this.#subject = subject;
    this.#source = source;
    this.#mask = mask;
  }

  debug(message: string): void {
    this.write('debug', message);
  }

  info(message: string): void {
    this.write('info', message);
  }

  warn(message: string): void {
    this.write('warn', message);
  }

  error(message: string): void {
    this.write('error', message);
  }

  /** A message of several lines becomes several log lines. */
  write(level: LogLevel, message: string): void {
    const at = new Date();
    for (const line of this.#mask(message).replaceAll('\0', '\u{fffd}').split(/\r?\n/)) {
      const text = line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)} … (cut)` : line;
      this.#pending.push({ at, level, source: this.#source, text });
    }
    if (this.#pending.length >= BATCH_LINES) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), this.#delay());
  }

  /** Resolves when everything written so far is in the database. */
  async flush(): Promise<void> {
    this.#send();
    await this.#writing;
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw failure;
  }

  #delay(): number {
    return performance.now() - this.#sentAt < BATCH_MS ? BATCH_MS : AFTER_PAUSE_MS;
  }

  #send(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#pending.length === 0) return;
    this.#sentAt = performance.now();
    const lines = this.#pending;
    this.#pending = [];
    this.#writing = this.#writing
      .then(() => appendLogLines(this.#database.sql, this.#subject, lines))
      .catch((error: unknown) => {
        this.#failure = error;
      });
  }
}
