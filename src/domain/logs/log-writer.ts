import type { Database } from '../database/database.ts';
import { appendLogLines } from '../database/sql/append-log-lines.ts';
import { printableText } from '../printable-text.ts';
import type { LogLevel, LogSubject, NewLogLine } from './log-line.ts';

/** So many lines are sent at once, without waiting for more: each batch wakes whoever follows. */
const BATCH_LINES = 2_000;
/** Most lines of one statement, when they come faster than statements are done. */
const MOST_LINES = 5_000;
/** With so many, or so long ones, waiting, whoever writes should wait too: see {@link LogWriter.room}. */
const FULL_LINES = 10_000;
const FULL_CHARACTERS = 8 * 1024 * 1024;
/** Lines that come after each other are collected for so long; one that comes after a pause is sent almost at once. */
const BATCH_MS = 50;
const AFTER_PAUSE_MS = 5;
const LONGEST_LINE = 16_384;

/**
 * Writes lines of one source to a subject's log in batches, one statement at a time. `flush` before the state that the
 * lines explain is committed; a failing database makes `flush` throw, never the caller's `info`.
 */
export class LogWriter {
  readonly #database: Database;
  readonly #subject: LogSubject;
  readonly #source: string;
  readonly #mask: (text: string) => string;
  #pending: NewLogLine[] = [];
  #pendingCharacters = 0;
  /** null: nothing is being sent. */
  #sending: Promise<void> | null = null;
  /** The batch that is on its way. */
  #statement: Promise<void> | null = null;
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
    for (const line of linesOf(this.#mask(message))) {
      const text = line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)} … (cut)` : line;
      this.#pending.push({ at, level, source: this.#source, text });
      this.#pendingCharacters += text.length;
    }
    if (this.#pending.length >= BATCH_LINES) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), this.#delay());
  }

  /** null: there is room for more lines. Otherwise resolves when there is. */
  room(): Promise<void> | null {
    return this.#isFull ? this.#untilRoom() : null;
  }

  /** Resolves when everything written so far is in the database. */
  async flush(): Promise<void> {
    for (this.#send(); this.#sending; this.#send()) await this.#sending;
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw failure;
  }

  async #untilRoom(): Promise<void> {
    // Long lines may be enough before they are a batch.
    this.#send();
    while (this.#isFull && this.#statement) await this.#statement;
  }

  get #isFull(): boolean {
    return this.#pending.length >= FULL_LINES || this.#pendingCharacters >= FULL_CHARACTERS;
  }

  #delay(): number {
    return performance.now() - this.#sentAt < BATCH_MS ? BATCH_MS : AFTER_PAUSE_MS;
  }

  /** Begins to send what is pending, if nothing is being sent; what comes meanwhile goes with the next statement. */
  #send(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#sending || this.#pending.length === 0) return;
    this.#sending = this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    do {
      this.#sentAt = performance.now();
      this.#statement = this.#sendSome();
      await this.#statement;
    } while (this.#pending.length >= BATCH_LINES);
    this.#statement = null;
    this.#sending = null;
    if (this.#pending.length > 0) this.#timer ??= setTimeout(() => this.#send(), BATCH_MS);
  }

  async #sendSome(): Promise<void> {
    const lines = this.#pending.splice(0, MOST_LINES);
    for (const { text } of lines) this.#pendingCharacters -= text.length;
    await appendLogLines(this.#database.sql, this.#subject, lines).catch((error: unknown) => {
      this.#failure = error;
    });
  }
}

function linesOf(message: string): string[] {
  return message.includes('\n') ? message.split(/\r?\n/).map(printableText) : [printableText(message)];
}
