import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { LogWriter } from '../../../src/domain/logs/log-writer.ts';
import { TestGateway } from '../../support/gateway.ts';
import { RequestHistory } from './request-history.ts';

const CHANNEL = 'http.server.request.start';
const LINES = 6_000;
const TEXT = 'x'.repeat(2_000);
/** What the kernel takes for a connection, and a page or two of lines. */
const HELD_BYTES = 2_000_000;
const QUESTIONS = 400;
const HELD_ANSWERS = 12;

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.start({ socketPingMs: 1_000 });
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

  await writeLog(number);
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

test('a web socket that does not read is cut off with little in memory, and resumes after the last line that it got', async () => {
  const { number } = await RequestHistory.begin(gateway);
  await writeLog(number);
  const before = await gateway.metric('stowage_subscribers');
  const { client, most } = await heldFor((client) => subscribeToLog(client, number, 0));
  expect(most).toBeLessThan(HELD_BYTES);
  await expect.poll(() => gateway.metric('stowage_subscribers')).toBe(before);

  const seen: number[] = [];
  client.resume();
  const got = linesOf(client, seen);
  expect((await once(client, 'close'))[0]).toBe(1006);
  await got;
  expect(seen.length).toBeLessThan(LINES);
  // On a busy machine a ping may be late again; so it goes on once more.
  while (seen.length < LINES) {
    const resumed = await openSocket();
    subscribeToLog(resumed.client, number, seen.length);
    await linesOf(resumed.client, seen);
    resumed.client.terminate();
  }
  expect(seen).toEqual(Array.from({ length: LINES }, (_, line) => line));
});

test('a web socket that asks on and on and does not read is read no further, and cut off', async () => {
  const query =
    '{ __schema { types { name description fields { name description args { name description } } } } }';
  const { client, most } = await heldFor((client) => {
    // Each answer has more bytes than may wait.
    for (let id = 0; id < QUESTIONS; id += 1) {
      client.send(
        JSON.stringify({ id: String(id), type: 'subscribe', payload: { query: `${query} #${TEXT}` } }),
      );
    }
  });
  client.terminate();
  expect(most).toBeLessThan(HELD_ANSWERS * 1_000_000);
});

test('a connection may have so many operations at a time', async () => {
  const { number } = await RequestHistory.begin(gateway);
  const { client } = await openSocket();
  const refused: unknown[] = [];
  client.on('message', (data) => refused.push(JSON.parse(String(data))));
  for (let id = 0; id <= 500; id += 1) subscribeToLog(client, number, 0, String(id));
  await expect
    .poll(() => refused)
    .toEqual([
      {
        id: '500',
        type: 'error',
        payload: [
          {
            message: 'A connection may have 500 operations at a time',
            extensions: {
              code: 'too-many-requests',
              hint: 'End some of them, or open another connection.',
              details: {},
            },
          },
        ],
      },
    ]);
  client.send(JSON.stringify({ id: '7', type: 'complete' }));
  client.send(JSON.stringify({ id: 'again', type: 'subscribe', payload: { query: '{ me { name } }' } }));
  await expect
    .poll(() => refused.slice(1))
    .toEqual([
      { id: 'again', type: 'next', payload: { data: { me: { name: 'ada' } } } },
      { id: 'again', type: 'complete' },
    ]);
  client.terminate();
});

async function writeLog(number: number): Promise<void> {
  const subject = { subjectType: 'bundle-request', subjectId: number } as const;
  const log = new LogWriter(gateway.stack.database, subject, 'test');
  for (let line = 0; line < LINES; line += 1) {
    log.info(`line ${line}: ${TEXT}`);
    if (line % 500 === 0) await log.flush();
  }
  await log.flush();
}

/** A socket that is logged in, and the end of it that the gateway has. */
async function openSocket(): Promise<{ client: WebSocket; server: Socket }> {
  const accepted = Promise.withResolvers<Socket>();
  const notice = (message: unknown): void => accepted.resolve((message as { socket: Socket }).socket);
  subscribe('net.server.socket', notice);
  const url = `${gateway.url.replace('http', 'ws')}/graphql`;
  const client = new WebSocket(url, 'graphql-transport-ws', { headers: gateway.headers('ada') });
  await once(client, 'open');
  unsubscribe('net.server.socket', notice);
  client.send(JSON.stringify({ type: 'connection_init' }));
  await once(client, 'message');
  return { client, server: await accepted.promise };
}

/** Asks and does not read, until it is cut off: a busy gateway may do that before it has answered anything. */
async function heldFor(ask: (client: WebSocket) => void): Promise<{ client: WebSocket; most: number }> {
  for (;;) {
    const { client, server } = await openSocket();
    ask(client);
    client.pause();
    const most = await mostHeld(server);
    if (most > 0) return { client, most };
    client.terminate();
  }
}

/** Bytes of answers that wait for the connection, until it is cut off. */
async function mostHeld(server: Socket): Promise<number> {
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, server.writableLength);
  }, 1);
  await once(server, 'close');
  clearInterval(watch);
  return most;
}

function subscribeToLog(client: WebSocket, number: number, after: number, id = 'log'): void {
  const query =
    'subscription ($number: Int!, $after: Int) { bundleRequestLog(number: $number, afterLine: $after) { text } }';
  const payload = { query, variables: { number, after } };
  client.send(JSON.stringify({ id, type: 'subscribe', payload }));
}

/** Until all are there, or the connection has ended. */
async function linesOf(client: WebSocket, seen: number[]): Promise<void> {
  await new Promise<void>((resolve) => {
    client.once('close', () => resolve());
    client.on('message', (data) => {
      const line = /line (\d+): x/.exec(String(data))?.[1];
      if (line === undefined) return;
      seen.push(Number(line));
      if (seen.length === LINES) resolve();
    });
  });
}

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
