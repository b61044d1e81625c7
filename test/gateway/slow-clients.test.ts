import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { watchPace } from '../../src/gateway/slow-clients.ts';
import { BOUNDARY, multipartBody, uploadBody } from '../support/multipart.ts';
import { PASSWORD, RegistryStack, sha256 } from '../support/registry-stack.ts';

const WINDOW_MS = 400;
const RATE = 2_000;
/** Between two bytes. */
const TRICKLE_MS = 20;
const NAME = 'apps/images/slow';

const TOO_SLOW = {
  status: 408,
  body: {
    error: {
      code: 'invalid-input',
      message: 'The request took too long to come',
      hint: null,
      details: {},
    },
  },
};

/** Sends the head and the beginning of a body at once, and then a byte at a time, until the connection is closed. */
async function trickle(url: string, head: string[], beginning: Uint8Array | string) {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  const lines = [head[0], `host: ${host}`, 'content-length: 1000000', ...head.slice(1)];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  socket.write(beginning);
  let answer = '';
  socket.setEncoding('utf8').on('data', (text) => {
    answer += text;
  });
  const timer = setInterval(() => socket.write('x'), TRICKLE_MS);
  await closeOf(socket);
  clearInterval(timer);
  const [start, body = ''] = answer.split('\r\n\r\n');
  return {
    status: Number(/^HTTP\/1\.1 (\d+)/.exec(start!)?.[1] ?? 0),
    closes: /^connection: close$/im.test(start!),
    body: body === '' ? null : JSON.parse(body),
  };
}

/** However it ends: the last byte may come too late to be sent. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

describe('clients that only hold a connection', () => {
  let stack: RegistryStack;
  let url: string;
  let jwt: string;
  const bearer = () => `authorization: ${stack.authorization('ada').authorization}`;

  beforeAll(async () => {
    stack = await RegistryStack.start();
    const environment = { STOWAGE_MINIMUM_RATE: String(RATE) };
    ({ url } = await stack.addGateway(environment, undefined, { paceWindowMs: WINDOW_MS }));
    const login = await stack.call('POST', '/api/tokens', {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: 'ada', password: PASSWORD }),
    });
    jwt = `authorization: JWT ${login.json().token}`;
  });
  afterAll(() => stack?.close());

  const form = `content-type: multipart/form-data; boundary=${BOUNDARY}`;
  const json = 'content-type: application/json';
  /** Without its end. */
  const begun = (body: Buffer) => body.subarray(0, -BOUNDARY.length - 10);
  const uploads = begun(uploadBody({ name: 'a.zip', content: Buffer.from('PK') }));
  const version = begun(
    multipartBody([
      ['version', 'slow'],
      ['source', { name: 'workspace.zip', content: Buffer.from('PK') }],
    ]),
  );

  test.each<[string, () => string[], Uint8Array | string]>([
    ['GraphQL', () => ['POST /graphql HTTP/1.1', bearer(), json], '{'],
    ['an upload in GraphQL', () => ['POST /graphql HTTP/1.1', bearer(), form, 'x-stowage-csrf: 1'], uploads],
    ['Cachito', () => ['POST /api/v1/requests HTTP/1.1', bearer(), json], '{'],
    ["Fandogh's sources", () => ['POST /api/images/app/versions HTTP/1.1', jwt, form], version],
    ['bk-repo', () => ['PUT /repository/api/project/apps HTTP/1.1', bearer(), json], '{'],
    ['a manifest', () => [`PUT /v2/${NAME}/manifests/v1 HTTP/1.1`, bearer(), json], '{'],
    [
      'a blob in one request',
      () => [`POST /v2/${NAME}/blobs/uploads/?digest=${sha256('x')} HTTP/1.1`, bearer()],
      'bytes',
    ],
  ])('%s: 408, and nothing of it is kept', async (_title, head, beginning) => {
    expect(await trickle(url, head(), beginning)).toEqual({ ...TOO_SLOW, closes: true });
    const temporary = join(stack.dataDir, 'tmp');
    const files = async () =>
      (await readdir(temporary, { recursive: true })).filter((name) => !/^uploads-\d+$/.test(name));
    await expect.poll(files).toEqual([]);
    for (const table of ['uploads', 'published_versions', 'bundle_requests']) {
      expect([table, await stack.database.sql.query(`select from ${table}`)]).toEqual([table, []]);
    }
  });

  test('a push that was cut off goes on from the last byte that came', async () => {
    const begin = async () => {
      const { headers } = await stack.call('POST', `/v2/${NAME}/blobs/uploads/`);
      return headers.get('location')!;
    };
    const size = async (location: string) => {
      const { headers } = await stack.call('GET', location);
      return Number(/^0-(\d+)$/.exec(headers.get('range')!)![1]) + 1;
    };
    for (const method of ['PATCH', 'PUT']) {
      const location = await begin();
      const target = method === 'PUT' ? `${location}?digest=${sha256('x')}` : location;
      const answer = await trickle(url, [`${method} ${target} HTTP/1.1`, bearer()], 'abc');
      expect(answer).toEqual({ ...TOO_SLOW, closes: true });
      await expect.poll(() => size(location)).toBeGreaterThan(3);
      const rest = `${'x'.repeat((await size(location)) - 3)}`;
      const done = await stack.call('PUT', `${location}?digest=${sha256(`abc${rest}end`)}`, { body: 'end' });
      expect(done.status).toBe(201);
    }
  });

  test('an answer that is not taken breaks off; who takes it gets all', async () => {
    const bytes = Buffer.alloc(24_000_000, 'stowage');
    const digest = await stack.pushBlob(NAME, bytes);
    const { hostname, port, host } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    socket.write(`GET /v2/${NAME}/blobs/${digest} HTTP/1.1\r\nhost: ${host}\r\n${bearer()}\r\n\r\n`);
    await once(socket, 'readable');
    // Longer than a window: the gateway has cut it off by then, with what the kernel holds still to be read.
    await sleep(4 * WINDOW_MS);
    const got = await readAll(socket);
    expect(got).toBeGreaterThan(0);
    expect(got).toBeLessThan(bytes.length);
    const whole = await stack.call('GET', `/v2/${NAME}/blobs/${digest}`, { url });
    expect(whole.body.equals(bytes)).toBe(true);
  });
});

async function readAll(socket: Socket): Promise<number> {
  let bytes = 0;
  const closed = closeOf(socket);
  socket.on('data', (piece: Buffer) => {
    bytes += piece.length;
  });
  await closed;
  return bytes;
}

describe('who waits for the server is not slow', () => {
  const listen = async (handler: RequestListener, bytesPerSecond = RATE) => {
    const server = createServer(handler);
    const logger = pino({ level: 'silent' });
    const pace = watchPace(server, { bytesPerSecond, logger, windowMs: WINDOW_MS });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      close: () => {
        pace.close();
        server.closeAllConnections();
        server.close();
      },
    };
  };

  test.each(['small', 'x'.repeat(20_000_000)])(
    'neither for its answer, nor for its body to be read',
    async (body) => {
      const { url, close } = await listen(async (request, answer) => {
        await sleep(3 * WINDOW_MS);
        const { length } = await buffer(request);
        await sleep(3 * WINDOW_MS);
        answer.end(String(length));
      });
      const response = await fetch(url, { method: 'POST', body });
      expect([response.status, await response.text()]).toEqual([200, String(body.length)]);
      close();
    },
  );

  test('any pace will do where none is set', async () => {
    const { url, close } = await listen(async (request, answer) => {
      await once(request.resume(), 'end');
      answer.end('all');
    }, 0);
    async function* slowly() {
      for (let byte = 0; byte < 4; byte += 1) {
        yield Buffer.from('x');
        await sleep(WINDOW_MS);
      }
    }
    const options = { method: 'POST', body: slowly(), duplex: 'half' };
    expect(await (await fetch(url, options as unknown as RequestInit)).text()).toBe('all');
    close();
  });
});
