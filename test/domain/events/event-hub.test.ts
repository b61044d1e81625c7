import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cancelRequest } from '../../../src/domain/bundle-requests/cancel.ts';
import type { Database } from '../../../src/domain/database/database.ts';
import { recordEvent } from '../../../src/domain/database/sql/record-event.ts';
import { EventHub } from '../../../src/domain/events/event-hub.ts';
import { SYSTEM } from '../../../src/domain/identity/principal.ts';
import { CuttableConnection } from '../../support/cuttable-connection.ts';
import { testDatabase } from '../../support/database.ts';
import { submit } from '../../support/requests.ts';

describe('the event hub', () => {
  let database: Database;
  let hub: EventHub;
  beforeAll(async () => {
    database = await testDatabase();
    hub = new EventHub(database);
    await hub.start();
  });
  afterAll(async () => {
    await hub.close();
    await database.close();
  });

  async function collect<T>(events: AsyncGenerator<T>, count: number): Promise<T[]> {
    const seen: T[] = [];
    for await (const event of events) {
      seen.push(event);
      if (seen.length === count) break;
    }
    return seen;
  }

  test('a subscriber gets what was, then what comes, and can go on after any version', async () => {
    const request = await submit(database);
    const abort = new AbortController();
    const all = collect(hub.subject('bundle-request', request.id, 0, abort.signal), 4);
    await cancelRequest(database, SYSTEM, request.id);
    const versions = (await all).map((event) => event.version);
    expect(versions).toEqual([1, 2, 3, 4]);
    const rest = await collect(hub.subject('bundle-request', request.id, 2, abort.signal), 2);
    expect(rest.map((event) => event.version)).toEqual([3, 4]);
  });

  test('an aborted subscription ends at once', async () => {
    const abort = new AbortController();
    const events = hub.subject('bundle-request', 4711, 0, abort.signal);
    const next = events.next();
    abort.abort();
    expect(await next).toEqual({ done: true, value: undefined });
  });

  test('who waits for a topic once is woken by its next event or by its own signal, and leaves nothing behind', async () => {
    const request = await submit(database);
    const topic = `bundle-request:${request.id}`;
    const abort = new AbortController();
    const woken = hub.woken(topic, abort.signal);
    expect(hub.topics).toContain(topic);
    await cancelRequest(database, SYSTEM, request.id);
    await woken;
    expect(hub.topics).not.toContain(topic);
    const given = hub.woken('bundle-request:4712', abort.signal);
    abort.abort();
    await given;
    await hub.woken('bundle-request:4712', abort.signal);
    expect(hub.topics).not.toContain('bundle-request:4712');
  });

  test('behind an item that says it is the newest nobody looks until the topic is woken', async () => {
    // Not started: nothing wakes its followers.
    const quiet = new EventHub(database);
    const asked: number[] = [];
    const items = quiet.followPages<number, number>('bundle-request:4713', new AbortController().signal, {
      after: 0,
      read: async (after) => {
        asked.push(after);
        return [after + 1];
      },
      positionOf: (item) => item,
      isNewest: (item) => item === 2,
    });
    expect([(await items.next()).value, (await items.next()).value]).toEqual([1, 2]);
    const next = items.next();
    await new Promise((resolve) => setImmediate(resolve));
    expect(asked).toEqual([0, 1]);
    await quiet.close();
    expect((await next).done).toBe(true);
  });

  test('the feed shows an event of a slow transaction although a later one has committed first', async () => {
    const abort = new AbortController();
    const event = (subjectId: number) =>
      ({ subjectType: 'worker', subjectId, version: 1, type: 'state', data: {} }) as const;
    const seen = collect(hub.feed('worker', '0.0', abort.signal), 2);
    await database.transaction(async (slow) => {
      await recordEvent(slow.sql, event(1));
      await database.transaction((quick) => recordEvent(quick.sql, event(2)));
    });
    const subjects = (await seen).map((one) => one.subjectId).sort();
    expect(subjects).toEqual([1, 2]);
  });

  test('a feed from now on has nothing of before, also while an older transaction hides where now is', async () => {
    const event = (subjectId: number) =>
      ({ subjectType: 'log', subjectId, version: 1, type: 'state', data: {} }) as const;
    let seen: Promise<{ subjectId: number }[]> | undefined;
    await database.transaction(async (old) => {
      await old.sql.query('select pg_current_xact_id()');
      await database.transaction((before) => recordEvent(before.sql, event(1)));
      seen = collect(hub.feed('log', null, new AbortController().signal), 2);
      await expect.poll(() => hub.topics).toContain('log');
      await database.transaction((after) => recordEvent(after.sql, event(2)));
      await recordEvent(old.sql, event(3));
    });
    // In the order of the transactions' beginnings, as ever.
    expect((await seen)?.map((one) => one.subjectId)).toEqual([3, 2]);
  });

  test('a lost connection is made again and nothing is missed', async () => {
    const request = await submit(database);
    const abort = new AbortController();
    const all = collect(hub.subject('bundle-request', request.id, 1, abort.signal), 2);
    await database.sql.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'stowage-listen' and datname = current_database()`,
    );
    await cancelRequest(database, SYSTEM, request.id);
    expect((await all).map((event) => event.version)).toEqual([2, 3]);
  });

  test('a database that was away for some attempts is listened to once, and no more after the end', async () => {
    const { url, connection } = await CuttableConnection.to(database.url);
    const { sql } = database;
    const own = new EventHub({ url, sql } as Database);
    await own.start();
    connection.cut({ isPolite: true });
    await expect.poll(() => connection.refused).toBeGreaterThan(0);
    connection.mend();
    await expect.poll(() => connection.isInUse).toBe(true);
    await own.close();
    await expect.poll(() => connection.isInUse).toBe(false);
    await connection.close();
  });

  describe('many followers of one topic', () => {
    /** Pages whose reads are counted and answered when the test says so. */
    function controlledPages(topic: string, after = 0) {
      const reads: { after: number; answer: (items: number[]) => void; fail: (error: Error) => void }[] = [];
      const read = (position: number): Promise<number[]> =>
        new Promise((answer, fail) => reads.push({ after: position, answer, fail }));
      const abort = new AbortController();
      const follow = (from = after): AsyncGenerator<number> =>
        hub.followPages(topic, abort.signal, { after: from, read, positionOf: (item) => item });
      return { reads, abort, follow };
    }

    const wake = (topic: string) => database.sql.query(`select pg_notify('stowage_events', $1)`, [topic]);
    const turn = () => new Promise((resolve) => setImmediate(resolve));

    test('those at the same position share one read, others read for themselves', async () => {
      const { reads, abort, follow } = controlledPages('shared:1');
      const first = [follow(), follow(), follow()].map((items) => items.next());
      const ahead = follow(7).next();
      await turn();
      expect(reads.map((read) => read.after)).toEqual([0, 7]);
      reads[0]!.answer([1]);
      reads[1]!.answer([8]);
      expect((await Promise.all(first)).map(({ value }) => value)).toEqual([1, 1, 1]);
      expect((await ahead).value).toBe(8);
      abort.abort();
    });

    test('the empty answer at the end is shared, too, by those who come late', async () => {
      const { reads, abort, follow } = controlledPages('shared:2');
      const early = follow().next();
      await turn();
      reads[0]!.answer([]);
      await turn();
      const late = follow().next();
      await turn();
      expect(reads).toHaveLength(1);
      abort.abort();
      expect(await Promise.all([early, late])).toEqual([
        { done: true, value: undefined },
        { done: true, value: undefined },
      ]);
    });

    test('a read that began before a wake-up does not answer those who were woken', async () => {
      const { reads, abort, follow } = controlledPages('shared:3');
      const early = follow().next();
      await turn();
      expect(reads).toHaveLength(1);
      await wake('shared:3');
      // The notification has come when a follower does not take the read that is under way.
      const late: Promise<IteratorResult<number>>[] = [];
      while (reads.length < 2) {
        late.push(follow().next());
        await turn();
      }
      // The old read saw nothing; the new one sees what the wake-up was for.
      reads[0]!.answer([]);
      await turn();
      expect(reads).toHaveLength(2);
      reads[1]!.answer([1]);
      expect((await early).value).toBe(1);
      expect((await late.at(-1)!).value).toBe(1);
      abort.abort();
    });

    test('a failed read fails for all who waited for it, and is not remembered', async () => {
      const { reads, abort, follow } = controlledPages('shared:4');
      const both = [follow(), follow()].map((items) => items.next());
      await turn();
      reads[0]!.fail(new Error('broken'));
      for (const outcome of await Promise.allSettled(both)) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { message: 'broken' } });
      }
      const again = follow().next();
      await turn();
      expect(reads).toHaveLength(2);
      reads[1]!.answer([1]);
      expect((await again).value).toBe(1);
      abort.abort();
    });
  });

  test('a hundred subscribers of one request get every event once, in order', async () => {
    const request = await submit(database);
    const abort = new AbortController();
    const all = Array.from({ length: 100 }, () =>
      collect(hub.subject('bundle-request', request.id, 0, abort.signal), 4),
    );
    await cancelRequest(database, SYSTEM, request.id);
    for (const events of await Promise.all(all)) {
      expect(events.map((event) => event.version)).toEqual([1, 2, 3, 4]);
    }
  });
});
