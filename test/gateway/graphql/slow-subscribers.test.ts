import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LogWriter } from '../../../src/domain/logs/log-writer.ts';
import { TestGateway } from '../../support/gateway.ts';
import { RequestHistory } from './request-history.ts';

const CHANNEL = 'http.server.request.start';
const LINES = 6_000;
const TEXT = 'x'.repeat(2_000);
/** What the kernel takes for a connection, and a page or two of lines. */
const HELD_BYTES = 2_000_000;

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.start();
});
afterAll(() => gateway?.close());

test('a subscriber that does not read is waited for with little in memory, and then gets every line', async () => {
  const { number } = await RequestHistory.begin(gateway);
  const opened = Promise.withResolvers<ServerResponse>();
  const notice = (message: unknown): void => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
    if (request.headers['x-slow'] !== undefined) opened.resolve(response);
  };
  subscribe(CHANNEL, notice);
  const client = await openStream(number);
  const response = await opened.promise;
  unsubscribe(CHANNEL, notice);
  client.pause();

  const subject = { subjectType: 'bundle-request', subjectId: number } as const;
  const log = new LogWriter(gateway.stack.database, subject, 'test');
  for (let line = 0; line < LINES; line += 1) {
    log.info(`line ${line}: ${TEXT}`);
    if (line % 500 === 0) await log.flush();
  }
  await log.flush();
  // Until the connection takes no more.
  await expect.poll(() => response.writableNeedDrain).toBe(true);
  expect(response.writableLength).toBeLessThan(HELD_BYTES);

  let last = -1;
  let rest = '';
  client.setEncoding('utf8').resume();
  for await (const chunk of client) {
    const text: string = rest + chunk;
    for (const [, found] of text.matchAll(/line (\d+): x/g)) {
      if (Number(found) <= last) continue;
      expect(Number(found)).toBe(last + 1);
      last += 1;
    }
    rest = text.slice(-30);
    if (last === LINES - 1) break;
  }
  expect(last).toBe(LINES - 1);
});

async function openStream(number: number): Promise<Socket> {
  const { hostname, port } = new URL(gateway.url);
  const client = connect(Number(port), hostname);
  const body = JSON.stringify({
    query: 'subscription ($number: Int!) { bundleRequestLog(number: $number) { text } }',
    variables: { number },
  });
  const headers = {
    host: 'gateway',
    'content-type': 'application/json',
    accept: 'text/event-stream',
    'content-length': String(Buffer.byteLength(body)),
    'x-slow': 'yes',
    ...gateway.headers('ada'),
  };
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  client.write(`POST /graphql HTTP/1.1\r\n${head.join('')}\r\n${body}`);
  await once(client, 'readable');
  return client;
}
