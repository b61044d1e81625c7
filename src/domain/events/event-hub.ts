import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { isConnectionLost } from '../database/connection-lost.ts';
import type { Database } from '../database/database.ts';
import { readFeed, readFeedEnd, readSubjectEvents } from '../database/sql/read-events.ts';
import { committedBy } from './committed-by.ts';
import { CHANNEL, type DomainEvent, type FeedCursor, type SubjectType } from './event.ts';

/** Something that is read page by page, from a position on. */
export interface Pages<Item, Position extends string | number> {
  /** Where to begin. */
  after: Position;
  /** What is behind a position, oldest first; the same for everybody who follows the topic. */
  read(after: Position): Promise<Item[]>;
  /** The position of an item. */
  positionOf(item: Item): Position;
  /** Whether there was nothing behind an item when it was read; otherwise one looks. */
  isNewest?(item: Item): boolean;
}

/** Who waits for a topic, and what those who were at the same position have read since it was woken last. */
interface Topic {
  wakers: Set<() => void>;
  reads: Map<string | number, Promise<unknown[]>>;
}

/**
 * Wakes those who wait for something to happen. One LISTEN connection for the process; a notification only says where to
 * look, everything is read from tables, and a slow poll makes up for a lost notification.
 */
export class EventHub {
  readonly #database: Database;
  readonly #topics = new Map<string, Topic>();
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

  /** Topics that somebody waits for now. */
  get topics(): string[] {
    return [...this.#topics.keys()];
  }

  /** Resolves when a topic is woken after this call, when the signal aborts, and when the hub is closed. */
  async woken(topic: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#closed) return;
    const alarm = new Alarm();
    const ring = (): void => alarm.ring();
    const unsubscribe = this.#subscribe(topic, ring);
    signal.addEventListener('abort', ring);
    await alarm.rung();
    signal.removeEventListener('abort', ring);
    unsubscribe();
  }

  /** Every event of a subject after `afterVersion`, then those to come, until the signal aborts. */
  async *subject(
    subjectType: SubjectType,
    subjectId: number,
    afterVersion: number,
    signal: AbortSignal,
  ): AsyncGenerator<DomainEvent> {
    yield* this.followPages(`${subjectType}:${subjectId}`, signal, {
      after: afterVersion,
      read: (after) => readSubjectEvents(this.#database.sql, subjectType, subjectId, after, PAGE),
      positionOf: (event) => event.version,
    });
  }

  /** Every event of all subjects of a type after a cursor (default: from now on). */
  async *feed(
    subjectType: SubjectType,
    after: FeedCursor | null,
    signal: AbortSignal,
  ): AsyncGenerator<DomainEvent & { cursor: FeedCursor }> {
    const end = after === null ? await readFeedEnd(this.#database.sql) : null;
    const isPast = end === null ? () => false : committedBy(end);
    const events = this.followPages(subjectType, signal, {
      after: after ?? end!.cursor,
      read: (cursor) => readFeed(this.#database.sql, subjectType, cursor, PAGE),
      positionOf: (event) => event.cursor,
    });
    // While an older transaction runs, the end that can be read lies before events that are there already.
    for await (const event of events) if (!isPast(event.cursor)) yield event;
  }

  /** Items of a topic as they come; a thousand followers who are at the same position read once. */
  async *followPages<Item, Position extends string | number>(
    topic: string,
    signal: AbortSignal,
    pages: Pages<Item, Position>,
  ): AsyncGenerator<Item> {
    let position = pages.after;
    yield* this.#follow(topic, signal, async () => {
      const items = await this.#readOnce(topic, position, () => pages.read(position));
      const last = items.at(-1);
      if (last === undefined) return { items, isAll: true };
      position = pages.positionOf(last);
      return { items, isAll: pages.isNewest?.(last) ?? false };
    });
  }

  /**
   * Reads until `read` gives nothing, then sleeps until the topic (`type` or `type:id`) is woken. Nothing that commits
   * between the read and the sleep is lost: whoever is woken in between reads again.
   */
  async *follow<T>(topic: string, signal: AbortSignal, read: () => Promise<T[]>): AsyncGenerator<T> {
    yield* this.#follow(topic, signal, async () => {
      const items = await read();
      return { items, isAll: items.length === 0 };
    });
  }

  async *#follow<T>(
    topic: string,
    signal: AbortSignal,
    read: () => Promise<{ items: T[]; isAll: boolean }>,
  ): AsyncGenerator<T> {
    const alarm = new Alarm();
    const unsubscribe = this.#subscribe(topic, () => alarm.ring());
    const stop = (): void => alarm.ring();
    signal.addEventListener('abort', stop);
    try {
      while (!signal.aborted && !this.#closed) {
        alarm.reset();
        const { items, isAll } = await this.#readInTheEnd(read, signal);
        for (const item of items) {
          if (signal.aborted) return;
          yield item;
        }
        if (isAll && !signal.aborted && !this.#closed) await alarm.rung();
      }
    } finally {
      signal.removeEventListener('abort', stop);
      unsubscribe();
    }
  }

  /** While the database is away it is asked again: followers see a pause, not an error. */
  async #readInTheEnd<T>(read: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (;;) {
      try {
        return await read();
      } catch (error) {
        if (!isConnectionLost(error) || signal.aborted || this.#closed) throw error;
        await sleep(RECONNECT_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /**
   * A read that began after the topic was woken last tells all that is known: who is at the same position takes its
   * answer. Waking forgets all answers, so that nobody who was woken gets one from before. Only empty answers are kept
   * beyond their arrival, since everybody at the end of a topic waits for the same.
   */
  async #readOnce<T>(topic: string, position: string | number, read: () => Promise<T[]>): Promise<T[]> {
    const reads = this.#topics.get(topic)!.reads;
    const known = reads.get(position) as Promise<T[]> | undefined;
    if (known) return await known;
    const answer = read();
    reads.set(position, answer);
    const forget = (): void => {
      if (reads.get(position) === answer) reads.delete(position);
    };
    answer.then((items) => items.length > 0 && forget(), forget);
    return await answer;
  }

  #subscribe(topic: string, wake: () => void): () => void {
    const entry = this.#topics.get(topic) ?? { wakers: new Set(), reads: new Map() };
    this.#topics.set(topic, entry);
    entry.wakers.add(wake);
    return () => {
      entry.wakers.delete(wake);
      if (entry.wakers.size === 0) this.#topics.delete(topic);
    };
  }

  #wake(name: string): void {
    const topic = this.#topics.get(name);
    if (!topic) return;
    topic.reads.clear();
    for (const wake of topic.wakers) wake();
  }

  #wakeAll(): void {
    for (const topic of this.#topics.keys()) this.#wake(topic);
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
    try {
      await client.connect();
      await client.query(`listen ${CHANNEL}`);
    } catch (error) {
      this.#reconnect(client);
      throw error;
    }
  }

  /** Once for each connection, however many times one hears that it is lost. */
  #reconnect(lost: pg.Client): void {
    if (this.#closed || this.#client !== lost) return;
    this.#client = null;
    lost.end().catch(() => undefined);
    const attempt = (): void => {
      if (this.#closed) return;
      this.#listen().then(
        () => this.#wakeAll(),
        () => undefined,
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
