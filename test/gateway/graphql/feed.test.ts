import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Caller, TestGateway } from '../../support/gateway.ts';
import { all, RequestHistory, range, take } from './request-history.ts';

const FEED = `subscription ($after: String) {
  f: bundleRequestFeed(after: $after) { cursor number event { version type } request { number state } }
}`;
interface FeedEvent {
  cursor: string;
  number: number;
  event: { version: number; type: string };
  request: { number: number; state: string } | null;
}

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await TestGateway.start();
});
afterAll(async () => {
  await gateway?.close();
});

async function* feed(after: string | null, as: Caller = 'ada'): AsyncGenerator<FeedEvent> {
  for await (const { data } of gateway.sse(FEED, { after }, as)) yield data.f;
}
const steps = (events: FeedEvent[]) => events.map(({ number, event }) => [number, event.version]);
/** Somebody who listens from now on. */
const listen = async (count: number, as: Caller = 'ada'): Promise<() => Promise<FeedEvent[]>> => {
  const before = await gateway.metric('stowage_subscribers');
  const events = take(feed(null, as), count);
  await expect.poll(() => gateway.metric('stowage_subscribers')).toBe(before + 1);
  await expect.poll(() => gateway.stack.hub.topics).toContain('bundle-request');
  return () => events;
};

/** Nobody listens any more. */
const untilQuiet = () =>
  vi.waitFor(
    async () => {
      expect(await gateway.metric('stowage_subscribers')).toBe(0);
      expect(gateway.stack.hub.topics).toEqual([]);
    },
    { timeout: 5_000 },
  );

describe('The feed', () => {
  afterEach(untilQuiet);

  test('tells what happens from now on, in order', async () => {
    await RequestHistory.begin(gateway);
    const events = await listen(5);
    const one = await RequestHistory.begin(gateway);
    await one.progress(2);
    const two = await RequestHistory.begin(gateway);
    await two.progress(1);
    expect(await events()).toEqual(
      [
        [one, 1, 'STATE'],
        [one, 2, 'PROGRESS'],
        [one, 3, 'PROGRESS'],
        [two, 1, 'STATE'],
        [two, 2, 'PROGRESS'],
      ].map(([request, version, type]) => {
        const { number } = request as RequestHistory;
        return {
          cursor: expect.stringMatching(/^\d+\.\d+$/),
          number,
          event: { version, type },
          request: { number, state: 'IN_PROGRESS' },
        };
      }),
    );
  });

  test('begins with the beginning, or behind a cursor, without loss or repeats', async () => {
    const { sql } = gateway.stack.database;
    const history = await RequestHistory.begin(gateway);
    const writing = history.progress(60);
    const seen: FeedEvent[] = [];
    while (seen.at(-1)?.number !== history.number || seen.at(-1)?.event.version !== 61) {
      seen.push(...(await take(feed(seen.at(-1)?.cursor ?? '0.0'), 3)));
      if (seen.at(-1)?.number === history.number && (seen.at(-1)?.event.version ?? 0) >= 59) break;
    }
    await writing;
    const [rows] = await sql.query<{ n: number }>('select count(*) as n from events');
    seen.push(...(await take(feed(seen.at(-1)!.cursor), rows!.n - seen.length)));
    const keys = steps(seen).map(String);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys).toHaveLength(rows!.n);
    const ofHistory = seen.filter(({ number }) => number === history.number);
    expect(ofHistory.map(({ event }) => event.version)).toEqual(range(1, 61));
  });

  test('goes on at another gateway', async () => {
    const events = await listen(1);
    const one = await RequestHistory.begin(gateway);
    const [{ cursor }] = (await events()) as [FeedEvent];
    await gateway.stop();
    await one.progress(2);
    await gateway.startAgain();
    expect(steps(await take(feed(cursor), 2))).toEqual([
      [one.number, 2],
      [one.number, 3],
    ]);
  });

  test('shows a caller only what they may see', async () => {
    const [byEve, byBob, byAdmin] = [
      await listen(1, 'eve'),
      await listen(2, 'bob'),
      await listen(2, 'admin'),
    ];
    const secret = await RequestHistory.begin(gateway, 'ada', 'apps');
    const open = await RequestHistory.begin(gateway, 'ada', null);
    expect(steps(await byEve())).toEqual([[open.number, 1]]);
    expect(steps(await byBob())).toEqual([
      [secret.number, 1],
      [open.number, 1],
    ]);
    expect(steps(await byAdmin())).toHaveLength(2);
  });

  test('does not skip an event that is committed late', async () => {
    const { database } = gateway.stack;
    const events = await listen(3);
    let commit = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      commit = resolve;
    });
    const early = await RequestHistory.begin(gateway, 'ada', null);
    let written = (): void => undefined;
    const isWritten = new Promise<void>((resolve) => {
      written = resolve;
    });
    const slow = database.transaction(async ({ sql }) => {
      await sql.query(
        `insert into events (subject_type, subject_id, version, type) values ('bundle-request', $1, 2, 'progress')`,
        [early.number],
      );
      written();
      await held;
    });
    await isWritten;
    const late = await RequestHistory.begin(gateway, 'ada', null);
    commit();
    await slow;
    expect(steps(await events())).toEqual([
      [early.number, 1],
      [early.number, 2],
      [late.number, 1],
    ]);
  });

  test.each(['', '0', 'abc', '1.2.3', '-1.0', '1.-1', `${'9'.repeat(20)}.1`, `1.${'9'.repeat(19)}`])(
    'refuses the cursor %j',
    async (after) => {
      expect(await all(gateway.sse(FEED, { after }))).toMatchObject([
        {
          data: null,
          errors: [
            { message: `"${after}" is not a cursor of the feed`, extensions: { code: 'invalid-input' } },
          ],
        },
      ]);
    },
  );

  test.each<[Caller, string]>([
    ['anonymous', 'unauthenticated'],
    ['writer', 'forbidden'],
  ])('is not for %s', async (as, code) => {
    expect(await all(gateway.sse(FEED, {}, as))).toMatchObject([
      { data: null, errors: [{ extensions: { code } }] },
    ]);
  });
});
