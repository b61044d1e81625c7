import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { retryRequest } from '../../../src/domain/bundle-requests/retry.ts';
import { readSettings } from '../../../src/domain/config.ts';
import { SYSTEM } from '../../../src/domain/identity/principal.ts';
import { compactLog } from '../../../src/domain/logs/compact-log.ts';
import type { LogSubject } from '../../../src/domain/logs/log-line.ts';
import { LogWriter } from '../../../src/domain/logs/log-writer.ts';
import { type Caller, TestGateway } from '../../support/gateway.ts';
import { all, RequestHistory, range, take } from './request-history.ts';

const LINES = `subscription ($n: Int!, $after: Int! = 0) {
  l: bundleRequestLog(number: $n, afterLine: $after) { number at level source text }
}`;

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await TestGateway.start();
});
afterAll(async () => {
  await gateway?.close();
});

const logOf = (request: RequestHistory): LogSubject => ({
  subjectType: 'bundle-request',
  subjectId: request.number,
});
const write = async (request: RequestHistory, from: number, to: number): Promise<void> => {
  const writer = new LogWriter(gateway.stack.database, logOf(request), 'test');
  for (const number of range(from, to)) writer.info(`line ${number}`);
  await writer.flush();
};
const lines = async (stream: AsyncIterable<{ data?: unknown }>) => {
  const found: { number: number; text: string }[] = [];
  for await (const { data } of stream) found.push((data as { l: (typeof found)[number] }).l);
  return found;
};
const numbers = async (stream: AsyncIterable<{ data?: unknown }>): Promise<number[]> => {
  const found = await lines(stream);
  for (const { number, text } of found) expect(text).toBe(`line ${number}`);
  return found.map(({ number }) => number);
};
const subscribe = (request: RequestHistory, after = 0, as: Caller = 'ada') =>
  gateway.sse(LINES, { n: request.number, after }, as);

describe('Lines of a log', () => {
  test('come from the first to the last, then the subscription completes', async () => {
    const request = await RequestHistory.begin(gateway);
    const received = lines(subscribe(request));
    await write(request, 1, 3);
    await write(request, 4, 6);
    await request.end('complete');
    const found = await received;
    expect(found.map(({ number, text }) => [number, text])).toEqual(
      range(1, 6).map((number) => [number, `line ${number}`]),
    );
    expect(found[0]).toEqual({
      number: 1,
      at: expect.stringMatching(/Z$/),
      level: 'INFO',
      source: 'test',
      text: 'line 1',
    });
  });

  test('come by pages as well, all of them in their order', async () => {
    const request = await RequestHistory.begin(gateway);
    await write(request, 1, 2_500);
    const document = `subscription ($n: Int!) {
      l: bundleRequestLogPages(number: $n, afterLine: 2) { lines { number text } total closed }
    }`;
    const received = (async () => {
      const found: { number: number; text: string }[] = [];
      let pages = 0;
      for await (const { data } of gateway.sse(document, { n: request.number }, 'ada')) {
        const { lines, total } = (data as { l: { lines: typeof found; total: number } }).l;
        expect(lines.at(-1)!.number).toBeLessThanOrEqual(total);
        found.push(...lines);
        pages += 1;
      }
      expect(pages).toBeLessThan(10);
      return found;
    })();
    await write(request, 2_501, 2_600);
    await request.end('complete');
    expect(await received).toEqual(range(3, 2_600).map((number) => ({ number, text: `line ${number}` })));
  });

  test('come over graphql-ws as well', async () => {
    const request = await RequestHistory.begin(gateway);
    const client = gateway.socket();
    const received = numbers(client.iterate({ query: LINES, variables: { n: request.number, after: 2 } }));
    await write(request, 1, 5);
    await request.end('failed');
    expect(await received).toEqual([3, 4, 5]);
    await client.dispose();
  });

  test('are neither lost nor repeated when the client comes and goes while they are written and compacted', async () => {
    const { database, blobs } = gateway.stack;
    const request = await RequestHistory.begin(gateway);
    const writing = (async () => {
      for (let from = 1; from <= 401; from += 50) await write(request, from, from + 49);
      await request.end('complete');
      await compactLog(database, blobs, logOf(request));
    })();
    const seen: number[] = [];
    while (seen.length < 400) {
      const some = await take(subscribe(request, seen.length), 37);
      seen.push(...some.map((item) => (item.data as { l: { number: number } }).l.number));
    }
    await writing;
    seen.push(...(await numbers(subscribe(request, seen.length))));
    expect(seen).toEqual(range(1, 450));
  });

  test('are the same when the log is compacted', async () => {
    const { database, blobs } = gateway.stack;
    const request = await RequestHistory.begin(gateway);
    await write(request, 1, 1_500);
    await request.end('complete');
    const before = await lines(subscribe(request));
    await compactLog(database, blobs, logOf(request));
    expect(await lines(subscribe(request))).toEqual(before);
    expect(await numbers(subscribe(request, 1_200))).toEqual(range(1_201, 1_500));
    expect(await numbers(subscribe(request, 1_500))).toEqual([]);
    expect(await numbers(subscribe(request, 2 ** 31 - 1))).toEqual([]);
  });

  test('go on after a retry, behind those that are compacted', async () => {
    const { database, blobs } = gateway.stack;
    const request = await RequestHistory.begin(gateway);
    await write(request, 1, 10);
    await request.end('failed');
    await compactLog(database, blobs, logOf(request));
    await retryRequest(database, readSettings({}), SYSTEM, request.number);
    const [fromStart, resumed] = [numbers(subscribe(request)), numbers(subscribe(request, 10))];
    await write(request, 11, 20);
    await request.end('complete');
    expect(await fromStart).toEqual(range(1, 20));
    expect(await resumed).toEqual(range(11, 20));
  });

  test('go on at another gateway', async () => {
    const request = await RequestHistory.begin(gateway);
    await write(request, 1, 5);
    const seen: number[] = [];
    const reading = (async () => {
      for await (const { data } of subscribe(request)) seen.push(data.l.number);
    })();
    const broken = expect(reading).rejects.toBeDefined();
    await expect.poll(() => seen).toHaveLength(5);
    await gateway.stop();
    await broken;
    await write(request, 6, 8);
    await gateway.startAgain();
    await request.end('complete');
    seen.push(...(await numbers(subscribe(request, seen.length))));
    expect(seen).toEqual(range(1, 8));
  });

  test('leave no listener behind when a client goes away', async () => {
    const request = await RequestHistory.begin(gateway);
    await write(request, 1, 1);
    const streams = range(1, 3).map(() => subscribe(request));
    for (const stream of streams) await stream.next();
    expect(gateway.stack.hub.topics).toHaveLength(1);
    await Promise.all(streams.map((stream) => stream.return(undefined)));
    await vi.waitFor(() => expect(gateway.stack.hub.topics).toEqual([]), { timeout: 5_000 });
  });

  test.each<[Caller, number, string, string]>([
    ['eve', 0, 'There is no bundle request N', 'not-found'],
    ['anonymous', 0, 'Log in to do this', 'unauthenticated'],
    ['writer', 0, 'This token does not have the scope "read"', 'forbidden'],
    ['ada', -1, 'afterLine must not be negative', 'invalid-input'],
  ])('are refused to %s after %i', async (as, after, message, code) => {
    const request = await RequestHistory.begin(gateway);
    const items = await all(subscribe(request, after, as));
    expect(items).toMatchObject([
      { data: null, errors: [{ message: message.replace('N', `${request.number}`), extensions: { code } }] },
    ]);
  });
});
