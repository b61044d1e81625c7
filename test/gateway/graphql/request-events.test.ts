import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { retryRequest } from '../../../src/domain/bundle-requests/retry.ts';
import { readSettings } from '../../../src/domain/config.ts';
import { SYSTEM } from '../../../src/domain/identity/principal.ts';
import { type Caller, TestGateway } from '../../support/gateway.ts';
import { all, RequestHistory, range, take } from './request-history.ts';

const EVENTS = `subscription ($n: Int!, $after: Int) {
  e: bundleRequestEvents(number: $n, afterVersion: $after) { version at type data request { state version } }
}`;
const VERSIONS = `subscription ($n: Int!, $after: Int! = 0) { e: bundleRequestEvents(number: $n, afterVersion: $after) { version } }`;

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await TestGateway.start();
});
afterAll(async () => {
  await gateway?.close();
});

/** Both ways to subscribe give the same. */
const transports: Record<
  string,
  (query: string, variables: Record<string, unknown>, as?: Caller) => AsyncGenerator<{ data?: unknown }>
> = {
  SSE: (query, variables, as) => gateway.sse(query, variables, as),
  async *'graphql-ws'(query, variables, as) {
    const client = gateway.socket(as);
    try {
      yield* client.iterate({ query, variables }) as AsyncIterable<{ data?: unknown }>;
    } finally {
      await client.dispose();
    }
  },
};
const versionsOf = (items: { data?: unknown }[]): number[] =>
  items.map((item) => (item.data as { e: { version: number } }).e.version);
const untilNobodyListens = () =>
  vi.waitFor(
    async () => {
      expect(await gateway.metric('stowage_subscribers')).toBe(0);
      expect(gateway.stack.hub.topics).toEqual([]);
    },
    { timeout: 10_000, interval: 20 },
  );

/** Statements that match fail so many times. */
function failReads(match: RegExp, error: Error, times: number) {
  const { sql } = gateway.stack.database;
  const query = sql.query.bind(sql);
  return vi.spyOn(sql, 'query').mockImplementation(async (text, parameters) => {
    if (match.test(text) && times-- > 0) throw error;
    return await query(text, parameters);
  });
}

describe.each(Object.keys(transports))('Events of a request over %s', (transport) => {
  const subscribe = transports[transport]!;

  test('come from the first to the last, then the subscription completes', async () => {
    const request = await RequestHistory.begin(gateway);
    const received = all(subscribe(EVENTS, { n: request.number, after: 0 }));
    await request.progress(3);
    const last = await request.end('complete');
    const events = (await received).map((item) => (item.data as { e: Record<string, unknown> }).e);
    expect(events.map(({ version }) => version)).toEqual(range(1, last));
    expect(events.slice(0, 5)).toEqual([
      {
        version: 1,
        at: expect.stringMatching(/Z$/),
        type: 'STATE',
        data: { state: 'in_progress', reason: 'The request was initiated' },
        request: { state: expect.any(String), version: expect.any(Number) },
      },
      ...[0, 1, 2].map((files) =>
        expect.objectContaining({
          version: files + 2,
          type: 'PROGRESS',
          data: { stepId: 1, task: 'fetch-source', packageManager: null, files },
        }),
      ),
      expect.objectContaining({
        version: 5,
        type: 'STATE',
        data: { state: 'complete', reason: 'The request is complete' },
      }),
    ]);
    expect(events.at(-1)).toMatchObject({ request: { state: 'COMPLETE', version: last } });
    await untilNobodyListens();
  });

  test('of the past are all there', async () => {
    const request = await RequestHistory.begin(gateway);
    await request.progressAtOnce(600);
    const last = await request.end('failed');
    expect(versionsOf(await all(subscribe(VERSIONS, { n: request.number })))).toEqual(range(1, last));
    expect(versionsOf(await all(subscribe(VERSIONS, { n: request.number, after: 500 })))).toEqual(
      range(501, last),
    );
  });

  test('behind the last one there is nothing to wait for', async () => {
    const request = await RequestHistory.begin(gateway);
    const last = await request.end('cancelled');
    expect(versionsOf(await all(subscribe(VERSIONS, { n: request.number, after: last - 1 })))).toEqual([
      last,
    ]);
    for (const after of [last, last + 1, 2 ** 31 - 1]) {
      expect(await all(subscribe(VERSIONS, { n: request.number, after }))).toEqual([]);
    }
    await untilNobodyListens();
  });

  test('go on after a retry', async () => {
    const { database } = gateway.stack;
    const request = await RequestHistory.begin(gateway);
    const failed = await request.end('failed');
    await retryRequest(database, readSettings({}), SYSTEM, request.number);
    const received = all(subscribe(EVENTS, { n: request.number, after: 0 }));
    const resumed = all(subscribe(EVENTS, { n: request.number, after: failed }));
    await request.progress(2);
    const last = await request.end('complete');
    expect(versionsOf(await received)).toEqual(range(1, last));
    expect(versionsOf(await resumed)).toEqual(range(failed + 1, last));
  });

  test('are neither lost nor repeated when the client comes and goes', async () => {
    const request = await RequestHistory.begin(gateway);
    const writing = request.progress(120);
    const seen: number[] = [];
    while (seen.length < 100) {
      seen.push(...versionsOf(await take(subscribe(VERSIONS, { n: request.number, after: seen.length }), 7)));
    }
    await writing;
    const last = await request.end('complete');
    seen.push(...versionsOf(await all(subscribe(VERSIONS, { n: request.number, after: seen.length }))));
    expect(seen).toEqual(range(1, last));
    await untilNobodyListens();
  });

  test('are neither lost nor repeated when the gateway is another one', async () => {
    const request = await RequestHistory.begin(gateway);
    await request.progress(5);
    const seen: number[] = [];
    const reading = (async () => {
      for await (const item of subscribe(VERSIONS, { n: request.number })) seen.push(...versionsOf([item]));
    })();
    const broken = expect(reading).rejects.toBeDefined();
    await expect.poll(() => seen).toHaveLength(6);
    await gateway.stop();
    await broken;
    await expect.poll(() => gateway.stack.hub.topics).toEqual([]);
    await request.progress(5);
    await gateway.startAgain();
    const last = await request.end('complete');
    seen.push(...versionsOf(await all(subscribe(VERSIONS, { n: request.number, after: seen.length }))));
    expect(seen).toEqual(range(1, last));
  });

  test('go on when the connections to the database were lost', async () => {
    const { sql } = gateway.stack.database;
    const request = await RequestHistory.begin(gateway);
    const received = all(subscribe(VERSIONS, { n: request.number }));
    await expect.poll(() => gateway.stack.hub.topics).not.toEqual([]);
    await sql
      .query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      )
      .catch(() => undefined);
    await vi.waitFor(() => request.progress(1), { timeout: 10_000 });
    const last = await request.end('complete');
    expect(versionsOf(await received)).toEqual(range(1, last));
  });

  test('go on when the database was away for a moment', async () => {
    const request = await RequestHistory.begin(gateway);
    const last = await request.end('complete');
    const failing = failReads(
      /from events/,
      Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
      2,
    );
    expect(versionsOf(await all(subscribe(VERSIONS, { n: request.number })))).toEqual(range(1, last));
    expect(failing.mock.calls.filter(([text]) => /from events/.test(text)).length).toBeGreaterThan(2);
    failing.mockRestore();
  });

  test('end with an error, and not as if all were over, when they cannot be read', async () => {
    const request = await RequestHistory.begin(gateway);
    const failing = failReads(/from events/, new Error('a defect with secrets'), 1);
    const items = await all(subscribe(VERSIONS, { n: request.number }));
    failing.mockRestore();
    expect(items).toEqual([
      {
        data: null,
        errors: [
          expect.objectContaining({
            message: 'Something went wrong in the server',
            extensions: { code: 'internal' },
          }),
        ],
      },
    ]);
    await untilNobodyListens();
  });

  test('leave no listener behind when a client goes away', async () => {
    const request = await RequestHistory.begin(gateway);
    const streams = range(1, 5).map(() => subscribe(VERSIONS, { n: request.number }));
    for (const stream of streams) await stream.next();
    expect(await gateway.metric('stowage_subscribers')).toBe(5);
    expect(gateway.stack.hub.topics).toEqual([`bundle-request:${request.number}`]);
    await Promise.all(streams.map((stream) => stream.return(undefined)));
    await untilNobodyListens();
  });
});

describe('What is refused', () => {
  let number: number;
  beforeAll(async () => {
    number = (await RequestHistory.begin(gateway)).number;
  });

  const cases: [Caller, object, string, string][] = [
    ['ada', { n: 999_999 }, 'There is no bundle request 999999', 'not-found'],
    ['ada', { n: -1 }, 'There is no bundle request -1', 'not-found'],
    ['eve', {}, 'There is no bundle request N', 'not-found'],
    ['anonymous', {}, 'Log in to do this', 'unauthenticated'],
    ['writer', {}, 'This token does not have the scope "read"', 'forbidden'],
    ['ada', { after: -1 }, 'afterVersion must not be negative', 'invalid-input'],
    ['ada', { after: 2 }, 'Request N has only 1 versions yet', 'invalid-input'],
  ];
  test.each(cases)('%s %j over SSE', async (as, variables, message, code) => {
    const items = await all(gateway.sse(VERSIONS, { n: number, ...variables }, as));
    expect(items).toEqual([
      {
        data: null,
        errors: [
          expect.objectContaining({
            message: message.replace('N', String(number)),
            extensions: expect.objectContaining({ code }),
          }),
        ],
      },
    ]);
  });

  test.each(cases)('%s %j over graphql-ws', async (as, variables, message, code) => {
    const client = gateway.socket(as);
    const error = await all(
      client.iterate({ query: VERSIONS, variables: { n: number, ...variables } }),
    ).catch((thrown: unknown) => thrown);
    expect(error).toEqual([
      {
        errors: [
          expect.objectContaining({
            message: message.replace('N', String(number)),
            extensions: expect.objectContaining({ code }),
          }),
        ],
      },
    ]);
    // The connection lives on.
    expect(await all(client.iterate({ query: '{ me { name } }' }))).toHaveLength(1);
    await client.dispose();
  });
});
