import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BOUNDARY, multipartBody, uploadBody } from '../support/multipart.ts';
import { PASSWORD, RegistryStack, sha256 } from '../support/registry-stack.ts';

/**
 * Clients that go away anywhere in a request or its answer end nothing but that: an error that nobody listens for would end
 * the process, and fails the run of the tests.
 */
let stack: RegistryStack;
let blob: string;
let jwt: string;
const NAME = 'apps/images/broken';

beforeAll(async () => {
  stack = await RegistryStack.start();
  blob = await stack.pushBlob(NAME, Buffer.alloc(3_000_000, 'stowage'));
  await stack.pushImage(NAME, 'v1');
  const login = await stack.call('POST', '/api/tokens', json({ username: 'ada', password: PASSWORD }));
  jwt = `JWT ${login.json().token}`;
  await stack.call('POST', '/api/images', { ...json({ name: 'broken' }), headers: { authorization: jwt } });
});
afterAll(() => stack?.close());

function json(value: object) {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}

type Sent = [line: string, headers?: Record<string, string>, body?: string | Buffer];

const form = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` };
const source = multipartBody([
  ['version', 'v1'],
  ['source', { name: 'workspace.zip', content: Buffer.alloc(70_000, 'PK') }],
]);
const graphql = (query: string): Sent => {
  const { headers, body } = json({ query });
  return ['POST /graphql', headers, body];
};
const bytes = Buffer.alloc(100_000, 'x');

function requests(): Sent[] {
  const { authorization = '' } = stack.authorization('ada');
  const bearer = { authorization };
  const all: Sent[] = [
    graphql('{ me { name } }'),
    [
      'POST /graphql',
      { 'content-type': 'application/json', accept: 'text/event-stream' },
      json({ query: 'subscription { bundleRequestFeed { cursor } }' }).body,
    ],
    ['POST /graphql', { ...form, 'x-stowage-csrf': '1' }, uploadBody({ name: 'a.zip', content: bytes })],
    [
      'GET /graphql',
      {
        connection: 'upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'sec-websocket-protocol': 'graphql-transport-ws',
      },
      Buffer.from([0x81, 0x85, 1, 2, 3, 4, 9]),
    ],
    ['GET /elsewhere', { connection: 'upgrade', upgrade: 'websocket' }],
    [`POST /v2/${NAME}/blobs/uploads/`],
    [`POST /v2/${NAME}/blobs/uploads/?digest=${sha256(bytes)}`, {}, bytes],
    [`PUT /v2/${NAME}/manifests/v2`, { 'content-type': 'application/json' }, bytes],
    [`GET /v2/${NAME}/blobs/${blob}`],
    [`GET /v2/${NAME}/tags/list`],
    ['GET /v2/auth?service=bkrepo'],
    [
      'POST /v2/auth',
      { 'content-type': 'application/x-www-form-urlencoded' },
      `grant_type=password&username=ada&password=${PASSWORD}`,
    ],
    ['POST /api/images/broken/versions', form, source],
    ['POST /api/images', {}, '{"name":"x"}'],
    ['POST /api/errors', {}, bytes],
    ['POST /api/v1/requests', { 'content-type': 'application/json' }, '{"repo":"https://git.example/a.git"}'],
    ['GET /api/v1/requests'],
    ['POST /repository/api/project/create', {}, '{"name":"x"}'],
    ['POST /login', { 'content-type': 'application/x-www-form-urlencoded' }, 'name=ada&password=wrong'],
    ['GET /metrics'],
    ['CONNECT stowage.example:443'],
    ['BREW /'],
  ];
  return all.flatMap(([line, headers = {}, body = '']): Sent[] => [
    [line, headers, body],
    [line, { ...headers, ...(line.includes(' /api/images') ? { authorization: jwt } : bearer) }, body],
  ]);
}

/** Sends so much of it and goes away, in order or not; resolves when nothing of the connection is left here. */
function sendPart([line, headers = {}, body = '']: Sent, part: number, isPolite: boolean): Promise<void> {
  const { hostname, port, host } = new URL(stack.url);
  const length = body.length > 0 && !headers.upgrade ? { 'content-length': String(body.length) } : {};
  const lines = Object.entries({ host, ...headers, ...length }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  const whole = Buffer.concat([Buffer.from(`${line} HTTP/1.1\r\n${lines.join('')}\r\n`), Buffer.from(body)]);
  return new Promise((resolve) => {
    const socket: Socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    socket.once('close', () => resolve());
    const leave = (): void => void (isPolite ? socket.destroy() : socket.resetAndDestroy());
    socket.write(whole.subarray(0, Math.ceil(whole.length * part)), () => {
      // At once, or when the answer has begun.
      if (part < 1) leave();
      else socket.once('data', leave).once('end', leave);
    });
  });
}

test('wherever a client goes away, the gateway goes on', async () => {
  for (const isPolite of [true, false]) {
    for (const part of [0.1, 0.5, 0.9, 0.999, 1]) {
      await Promise.all(requests().map((request) => sendPart(request, part, isPolite)));
    }
  }
  // Whatever was begun for them is over.
  await expect.poll(async () => (await stack.call('GET', '/readyz', { as: 'anonymous' })).status).toBe(200);
  const answer = await stack.call('POST', '/graphql', json({ query: '{ me { name } }' }));
  expect(answer.json()).toEqual({ data: { me: { name: 'ada' } } });
});
