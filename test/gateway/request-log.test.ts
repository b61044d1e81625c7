import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import Fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ConflictError } from '../../src/domain/errors.ts';
import { answerError, answerUnknownPath } from '../../src/gateway/http-errors.ts';
import { maskedUrl } from '../../src/gateway/masked-url.ts';
import { registerRequestLog, requestLogOptions } from '../../src/gateway/request-log.ts';
import { registerSecurityHeaders, SERVER_LIMITS } from '../../src/gateway/security-headers.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const SECRETS = { authorization: 'Bearer stw_topsecret', cookie: 'session=topsecret' };

let app: FastifyInstance;
let port: number;
let url: string;
let lines: Record<string, unknown>[];
/** Resolves with the line of the next request that is over. */
let logged: () => Promise<Record<string, unknown>>;

beforeEach(async () => {
  lines = [];
  let arrived = (): void => undefined;
  const write = (text: string): void => {
    lines.push(JSON.parse(text));
    arrived();
  };
  logged = async () => {
    for (;;) {
      const index = lines.findIndex((line) => line.msg === 'request');
      if (index >= 0) return lines.splice(index, 1)[0]!;
      await new Promise<void>((resolve) => {
        arrived = resolve;
      });
    }
  };
  const logger: FastifyBaseLogger = pino({ level: 'debug', base: null, timestamp: false }, { write });
  app = Fastify({ ...SERVER_LIMITS, ...requestLogOptions(logger), forceCloseConnections: true });
  app.setErrorHandler(answerError);
  app.setNotFoundHandler(answerUnknownPath);
  registerRequestLog(app);
  registerSecurityHeaders(app);
  app.get('/livez', async () => ({}));
  app.get('/things/:name', async () => ({ ok: true }));
  app.post('/things', async (request) => request.body);
  app.get('/defect', async () => {
    throw new Error('password=topsecret');
  });
  app.get('/conflict', async () => {
    throw new ConflictError('Not now', { hint: 'Later.', details: { state: 'busy' } });
  });
  app.get('/raw', (_request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200, { 'content-length': 2 }).end('ok');
  });
  app.get('/hang', () => new Promise(() => undefined));
  await app.listen({ host: '127.0.0.1', port: 0 });
  port = (app.server.address() as AddressInfo).port;
  url = `http://127.0.0.1:${port}`;
  lines.length = 0;
});
afterEach(async () => {
  await app.close();
});

test('each request is one line, without secrets, under the id that the client is told', async () => {
  const response = await fetch(`${url}/things/a?token=topsecret&page=2`, { headers: SECRETS });
  const id = response.headers.get('x-request-id');
  expect(id).toMatch(UUID);
  expect(await logged()).toEqual({
    level: 30,
    requestId: id,
    method: 'GET',
    url: '/things/a?token=***&page=2',
    status: 200,
    milliseconds: expect.any(Number),
    remoteAddress: '127.0.0.1',
    msg: 'request',
  });
  expect(lines).toEqual([]);
});

test.each(['abc-123', 'trace/7.8_9:0@host=+', 'x'.repeat(128)])('the id %s is taken over', async (id) => {
  const response = await fetch(`${url}/things/a`, { headers: { 'x-request-id': id } });
  expect(response.headers.get('x-request-id')).toBe(id);
  expect(await logged()).toMatchObject({ requestId: id });
});

test.each(['', 'a b', 'x'.repeat(129), '{"a":1}', '<script>', 'a,b', 'ä'])(
  'the id %j is replaced',
  async (id) => {
    const response = await fetch(`${url}/things/a`, { headers: { 'x-request-id': id } });
    expect(response.headers.get('x-request-id')).toMatch(UUID);
  },
);

test('probes are logged for debugging only', async () => {
  await fetch(`${url}/livez`);
  expect(await logged()).toMatchObject({ level: 20, url: '/livez' });
});

test('a defect is masked for the client and found by its id in the log', async () => {
  const response = await fetch(`${url}/defect?secret=topsecret`, { headers: SECRETS });
  const id = response.headers.get('x-request-id');
  expect(response.status).toBe(500);
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(await response.json()).toEqual({
    error: {
      code: 'internal',
      message: 'Something went wrong in the server',
      hint: 'The log of the gateway says more under this request id.',
      details: { requestId: id },
    },
  });
  expect(lines.find((line) => line.msg === 'request failed')).toMatchObject({ level: 50, requestId: id });
  expect(JSON.stringify(lines).replaceAll('password=topsecret', '')).not.toContain('topsecret');
});

test('errors of the domain are told as they are', async () => {
  const response = await fetch(`${url}/conflict`);
  expect(response.status).toBe(409);
  expect(await response.json()).toEqual({
    error: { code: 'conflict', message: 'Not now', hint: 'Later.', details: { state: 'busy' } },
  });
});

test.each<[string, RequestInit, number, string]>([
  ['/nowhere?token=topsecret', {}, 404, 'not-found'],
  ['/things/%', {}, 400, 'invalid-input'],
  ['/things/%ff', {}, 400, 'invalid-input'],
  ['/things', post('application/json', '{'), 400, 'invalid-input'],
  ['/things', post('application/json', '{"__proto__":{"a":1}}'), 400, 'invalid-input'],
  ['/things', post('application/json', '{"constructor":{"prototype":1}}'), 400, 'invalid-input'],
  ['/things', post('application/json', ''), 400, 'invalid-input'],
  ['/things', post('application/json', `"${'x'.repeat(1_000_000)}"`), 413, 'too-large'],
  ['/things', post('text/html', '<p>'), 415, 'unsupported-media-type'],
])('%s %#: bad input is the fault of the client', async (path, init, status, code) => {
  const response = await fetch(url + path, init);
  expect(response.status).toBe(status);
  const body = await response.json();
  expect(body).toEqual({ error: { code, message: expect.any(String), hint: null, details: {} } });
  expect(JSON.stringify(body)).not.toContain('topsecret');
});

test('every answer has the security headers, also those past the framework and errors', async () => {
  for (const path of ['/things/a', '/raw', '/nowhere', '/defect', '/conflict']) {
    const { headers } = await fetch(url + path);
    expect(Object.fromEntries(headers)).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'x-request-id': expect.stringMatching(UUID),
    });
  }
});

test('a client that leaves before the answer is logged as such', async () => {
  const socket = connect(port, '127.0.0.1');
  const received = once(app.server, 'request');
  socket.write('GET /hang HTTP/1.1\r\nHost: test\r\n\r\n');
  await received;
  socket.destroy();
  expect(await logged()).toMatchObject({ url: '/hang', status: null, aborted: true });
});

test('headers that are too large are refused', async () => {
  const response = await fetch(`${url}/things/a`, { headers: { 'x-large': 'x'.repeat(40_000) } });
  expect(response.status).toBe(431);
});

test.each([
  ['/a', '/a'],
  ['/a?b', '/a?b'],
  ['/a?b=c&d=e', '/a?b=c&d=e'],
  ['/a?token=x', '/a?token=***'],
  ['/a?access_token=x&b=c', '/a?access_token=***&b=c'],
  ['/a?%74oken=x', '/a?%74oken=***'],
  ['/a?X-Amz-Signature=x&X-Amz-Credential=y', '/a?X-Amz-Signature=***&X-Amz-Credential=***'],
  ['/a?api_key=x&apikey=y&API-Key=z', '/a?api_key=***&apikey=***&API-Key=***'],
  ['/a?password=a=b', '/a?password=***'],
  ['/a?%zztoken=x', '/a?%zztoken=***'],
  ['/a?package_manager=npm&monkey=1&author=me', '/a?package_manager=npm&monkey=1&author=me'],
  ['/a?repo=https://ada:pw@git.example/x', '/a?repo=***'],
  ['/a?repo=https%3A%2F%2Fada%3Apw%40git.example', '/a?repo=***'],
  ['/a?repo=https://git.example/x@1', '/a?repo=https://git.example/x@1'],
  [`/${'a'.repeat(3000)}`, `/${'a'.repeat(1999)}…`],
])('%s is logged as %s', (given, expected) => {
  expect(maskedUrl(given)).toBe(expected);
});

function post(contentType: string, body: string): RequestInit {
  return { method: 'POST', headers: { 'content-type': contentType }, body };
}
