import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cancelRequest } from '../../../src/domain/bundle-requests/cancel.ts';
import type { Database } from '../../../src/domain/database/database.ts';
import { recordEvent } from '../../../src/domain/database/sql/record-event.ts';
import { EventHub } from '../../../src/domain/events/event-hub.ts';
import { SYSTEM } from '../../../src/domain/identity/principal.ts';
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

  test('the feed shows an event of a slow transaction although a later one has committed first', async () => {
    const abort = new AbortController();
    const event = (subjectId: number) =>
      ({ subjectType: 'worker', subjectId, version: 1, type: 'state', data: {} }) as const;
    const seen = collect(hub.feed('worker', null, abort.signal), 2);
    await database.transaction(async (slow) => {
      await recordEvent(slow.sql, event(1));
      await database.transaction((quick) => recordEvent(quick.sql, event(2)));
    });
    const subjects = (await seen).map((one) => one.subjectId).sort();
    expect(subjects).toEqual([1, 2]);
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
});
