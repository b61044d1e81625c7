import pg from 'pg';
import type { Database } from '../database/database.ts';
import { readFeed, readFeedEnd, readSubjectEvents } from '../database/sql/read-events.ts';
import { CHANNEL, type DomainEvent, type FeedCursor, type SubjectType } from './event.ts';

/**
 * Wakes those who wait for something to happen. One LISTEN connection for the process; a notification only says where to
 * look, everything is read from tables, and a slow poll makes up for a lost notification.
 */
export class EventHub {
  readonly #database: Database;
  readonly #waiting = new Map<string, Set<() => void>>();
  #client: pg.Client | null = null;
  #closed = false;
  #poll: NodeJS.Timeout | null = null;

  constructor(database: Database) {
    this.#database = database;
  }

  async start(): Promise<void> {
    await this.#listen();
    this.#poll = setInterval(() => this.#wakeAll(), POLL_MS);
    this.#poll.unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#poll) clearInterval(this.#poll);
    this.#wakeAll();
    await this.#client?.end().catch(() => undefined);
  }

  /** Every event of a subject after `afterVersion`, then those to come, until the signal aborts. */
  async *subject(
    subjectType: SubjectType,
    subjectId: number,
    afterVersion: number,
    signal: AbortSignal,
  ): AsyncGenerator<DomainEvent> {
    let version = afterVersion;
    yield* this.#follow(`${subjectType}:${subjectId}`, signal, async () => {
      const events = await readSubjectEvents(this.#database.sql, subjectType, subjectId, version, PAGE);
      version = events.at(-1)?.version ?? version;
      return events;
    });
  }

  /** Every event of all subjects of a type after a cursor (default: from now on). */
  async *feed(
    subjectType: SubjectType,
    after: FeedCursor | null,
    signal: AbortSignal,
  ): AsyncGenerator<DomainEvent & { cursor: FeedCursor }> {
    let cursor = after ?? (await readFeedEnd(this.#database.sql));
    yield* this.#follow(subjectType, signal, async () => {
      const events = await readFeed(this.#database.sql, subjectType, cursor, PAGE);
      cursor = events.at(-1)?.cursor ?? cursor;
      return events;
    });
  }

  /**
   * Reads until `read` gives nothing, then sleeps until the topic (`type` or `type:id`) is woken. Nothing that commits
   * between the read and the sleep is lost: whoever is woken in between reads again.
   */
  async *follow<T>(topic: string, signal: AbortSignal, read: () => Promise<T[]>): AsyncGenerator<T> {
    yield* this.#follow(topic, signal, read);
  }

  async *#follow<T>(topic: string, signal: AbortSignal, read: () => Promise<T[]>): AsyncGenerator<T> {
    const alarm = new Alarm();
    const unsubscribe = this.#subscribe(topic, () => alarm.ring());
    const stop = (): void => alarm.ring();
    signal.addEventListener('abort', stop);
    try {
      while (!signal.aborted && !this.#closed) {
        alarm.reset();
        const items = await read();
        for (const item of items) {
          if (signal.aborted) return;
          yield item;
        }
        if (items.length === 0 && !signal.aborted && !this.#closed) await alarm.rung();
      }
    } finally {
      signal.removeEventListener('abort', stop);
      unsubscribe();
    }
  }

  #subscribe(topic: string, wake: () => void): () => void {
    const wakers = this.#waiting.get(topic) ?? new Set();
    this.#waiting.set(topic, wakers.add(wake));
    return () => {
      wakers.delete(wake);
      if (wakers.size === 0) this.#waiting.delete(topic);
    };
  }

  #wake(topic: string): void {
    for (const wake of this.#waiting.get(topic) ?? []) wake();
  }

  #wakeAll(): void {
    for (const topic of this.#waiting.keys()) this.#wake(topic);
  }

  async #listen(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#database.url,
      application_name: 'stowage-listen',
    });
    client.on('notification', ({ payload = '' }) => {
      this.#wake(payload);
      this.#wake(payload.slice(0, payload.indexOf(':')));
      // The feed shows an event only when older transactions are over: look again a little later.
      setTimeout(() => this.#wake(payload.slice(0, payload.indexOf(':'))), FEED_SETTLE_MS).unref();
    });
    client.on('error', () => this.#reconnect(client));
    client.on('end', () => this.#reconnect(client));
    this.#client = client;
    await client.connect();
    await client.query(`listen ${CHANNEL}`);
  }

  #reconnect(lost: pg.Client): void {
    if (this.#closed || this.#client !== lost) return;
    this.#client = null;
    lost.end().catch(() => undefined);
    const attempt = (): void => {
      if (this.#closed) return;
      this.#listen().then(
        () => this.#wakeAll(),
        () => {
          this.#client = null;
          setTimeout(attempt, RECONNECT_MS).unref();
        },
      );
    };
    setTimeout(attempt, RECONNECT_MS).unref();
  }
}

/** A bell that remembers having been rung. */
class Alarm {
  #ring: () => void = () => undefined;
  #promise: Promise<void> = Promise.resolve();

  constructor() {
    this.reset();
  }

  reset(): void {
    this.#promise = new Promise((resolve) => {
      this.#ring = resolve;
    });
  }

  ring(): void {
    this.#ring();
  }

  rung(): Promise<void> {
    return this.#promise;
  }
}

const PAGE = 500;
const POLL_MS = 2_000;
const RECONNECT_MS = 500;
const FEED_SETTLE_MS = 25;
