import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestGateway } from '../../../support/gateway.ts';
import { CachitoCalls, REF, REPO } from './cachito-calls.ts';

/** What holds for all calls: the error envelope, methods, paths and bodies (cachito.md 1 and 1.1). */
let gateway: TestGateway;
let client: CachitoCalls;
let id: number;

beforeAll(async () => {
  gateway = await TestGateway.start({ environment: { STOWAGE_WORKER_USERNAMES: 'ada' } });
  client = new CachitoCalls(gateway);
  id = await client.submit();
});

afterAll(() => gateway.close());

const NOT_FOUND = { error: 'The requested resource was not found' };
const MALFORMED = { error: 'The browser (or proxy) sent a request that this server could not understand.' };
const TOO_LARGE = { error: 'The data value transmitted exceeds the capacity limit.' };

describe('Paths', () => {
  test.each([
    '',
    '/',
    '/nope',
    '/requests/',
    '/requests/abc',
    '/requests/-1',
    '/requests/1.5',
    '/requests/1%2f2',
    '/requests/4000',
    '/requests/2147483648',
    '/requests/99999999999999999999',
    `/requests/${'9'.repeat(600)}`,
    '/requests/1/',
    '/requests/1/nope',
    '/requests/%zz',
    '/requests/%00',
    '/Requests',
    '/openapi-json',
    '/requests/1/download/x',
  ])('there is nothing at %j', async (path) => {
    const { status, text: body, headers } = await client.call('GET', path, { as: 'anonymous' });
    expect([status, body, headers.get('content-type')]).toEqual([
      404,
      `${JSON.stringify(NOT_FOUND)}\n`,
      'application/json',
    ]);
    // That there is no such number is nothing that the path tells.
    const isPath = /^\/requests\/\d+$/.test(path) && path.length < 100;
    expect((await client.json('POST', path, { body: {}, as: 'anonymous' }))[0]).toBe(isPath ? 405 : 404);
  });

  test('numbers may have zeros before them', async () => {
    expect((await client.call('GET', `/requests/00${id}`)).status).toBe(200);
  });
});

describe('Methods', () => {
  const paths: [path: string, allow: string][] = [
    ['/requests', 'GET, HEAD, OPTIONS, POST'],
    ['/requests/1', 'GET, HEAD, OPTIONS, PATCH'],
    ['/requests/1/configuration-files', 'GET, HEAD, OPTIONS, POST'],
  ];

  test.each(
    paths.flatMap(([path, allow]) =>
      ['PUT', 'DELETE', 'PROPFIND', 'QUERY'].map((method) => [method, path, allow]),
    ),
  )('%s %s is refused, whoever asks and whatever comes with it', async (method, path, allow) => {
    const {
      status,
      text: body,
      headers,
    } = await client.call(method!, path!, {
      as: 'anonymous',
      body: '{',
    });
    expect([status, JSON.parse(body), headers.get('allow')]).toEqual([
      405,
      { error: 'The method is not allowed for the requested URL.' },
      allow,
    ]);
  });

  test.each(paths)('OPTIONS %s', async (path, allow) => {
    const { status, text: body, headers } = await client.call('OPTIONS', path, { as: 'anonymous' });
    expect([status, body, headers.get('allow')]).toEqual([200, '', allow]);
  });

  test('HEAD is GET without its body', async () => {
    const get = await client.call('GET', `/requests/${id}`);
    const head = await client.call('HEAD', `/requests/${id}`);
    expect([head.status, head.text]).toEqual([200, '']);
    for (const name of ['content-type', 'content-length']) {
      expect(head.headers.get(name)).toBe(get.headers.get(name));
    }
  });
});

describe('Bodies', () => {
  const calls: [method: string, path: () => string, absent: string][] = [
    ['POST', () => '/requests', 'The input data must be a JSON object'],
    ['PATCH', () => `/requests/${id}`, 'The input data must be a JSON object'],
    ['POST', () => `/requests/${id}/configuration-files`, 'The input data must be a JSON array'],
  ];

  describe.each(calls)('%s', (method, path, absent) => {
    test.each(['', '{', '{"a":1,}', 'nothing', "{'a': 1}", '\u0000', '[1', '{}{}', '"\ud800'.slice(0, 2)])(
      'malformed: %j',
      async (body) => {
        const headers = { 'content-type': 'application/json' };
        expect(await client.json(method, path(), { body, headers })).toEqual([400, MALFORMED]);
      },
    );

    test('malformed: bytes that are not UTF-8', async () => {
      const response = await fetch(`${gateway.url}/api/v1${path()}`, {
        method,
        headers: { ...gateway.headers('ada'), 'content-type': 'application/json' },
        body: Buffer.from([0x22, 0xff, 0x22]),
      });
      expect([response.status, await response.json()]).toEqual([400, MALFORMED]);
    });

    test.each([
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'text/json',
      'application/jsonx',
      'application/problem+xml',
      'nonsense',
      ';;;',
      '/',
    ])('of the type %j counts as absent', async (type) => {
      expect(await client.json(method, path(), { body: '{"x":', headers: { 'content-type': type } })).toEqual(
        [400, { error: absent }],
      );
    });

    test('without a type, and none at all, count as absent', async () => {
      const none = { method, headers: gateway.headers('ada') };
      for (const body of [Buffer.from('{"x":'), null]) {
        const response = await fetch(`${gateway.url}/api/v1${path()}`, { ...none, body });
        expect([response.status, await response.json()]).toEqual([400, { error: absent }]);
      }
    });

    test('JSON is known by its subtype', async () => {
      for (const type of ['application/json; charset=utf-8', 'Application/JSON', 'application/vnd.x+json']) {
        expect(await client.json(method, path(), { body: '5', headers: { 'content-type': type } })).toEqual([
          400,
          { error: absent },
        ]);
      }
    });

    test.each(['application/json', 'text/plain'])('too large, as %s', async (type) => {
      const body = JSON.stringify('x'.repeat(1024 * 1024));
      expect(await client.json(method, path(), { body, headers: { 'content-type': type } })).toEqual([
        413,
        TOO_LARGE,
      ]);
    });

    test('deep ones are read like any other', async () => {
      const body = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
      expect((await client.json(method, path(), { body }))[0]).toBe(400);
    });
  });

  test('a repo as long as a body may be is stored', async () => {
    const repo = `https://git.example/${Array.from({ length: 60_000 }, (_, at) => at.toString(36)).join('/')}`;
    const number = await client.submit({ repo });
    expect((await client.request(number)).repo).toBe(repo);
    const [status, found] = await client.json('GET', `/requests?repo=${repo.slice(0, 4_000)}`);
    expect([status, (found as { items: unknown[] }).items]).toEqual([200, []]);
  });

  test('a body that breaks off has no answer, and the gateway lives on', async () => {
    const { hostname, port } = new URL(gateway.url);
    const socket = connect(Number(port), hostname);
    socket.write(
      `POST /api/v1/requests HTTP/1.1\r\nHost: x\r\nAuthorization: ${gateway.headers('ada').authorization}\r\n` +
        'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"ref":',
    );
    socket.end();
    await text(socket);
    expect((await client.json('GET', '/requests'))[0]).toBe(200);
  });
});

describe('Requests as they come over the wire', () => {
  async function answerTo(lines: string): Promise<string> {
    const { hostname, port } = new URL(gateway.url);
    const socket = connect(Number(port), hostname);
    socket.write(lines.replaceAll('\n', '\r\n'));
    return await text(socket);
  }

  test.each([
    ['nothing, as HTTP/1.0 allows', ''],
    ['an empty name', 'Host:\n'],
    ['what is no name', 'Host: a b\n'],
    ['what is no name either', 'Host: "><script>\n'],
  ])('links lead to where the client has come when it calls us %s', async (_title, host) => {
    const answer = await answerTo(`GET /api/v1/requests/${id} HTTP/1.0\n${host}\n`);
    expect(answer).toContain(
      `"configuration_files":"${gateway.url}/api/v1/requests/${id}/configuration-files"`,
    );
  });

  test.each(['stowage.example', 'stowage.example:8443', '[::1]:80', '10.0.0.1'])(
    'links lead to %s',
    async (host) => {
      const answer = await answerTo(`GET /api/v1/requests/${id} HTTP/1.0\nHost: ${host}\n\n`);
      expect(answer).toContain(`"url":"http://${host}/api/v1/`);
    },
  );

  test('an offer of HTTP/2 is no reason to refuse', async () => {
    const answer = await answerTo(
      `GET /api/v1/requests/${id} HTTP/1.1\nHost: x\nConnection: close, Upgrade, HTTP2-Settings\n` +
        'Upgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\n\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  test.each(['Expect: 100-continue', 'Connection: close, TE'])('%s', async (header) => {
    const answer = await answerTo(
      `POST /api/v1/requests HTTP/1.1\nHost: x\nConnection: close\n${header}\n` +
        `Authorization: ${gateway.headers('ada').authorization}\nContent-Type: application/json\n` +
        'Content-Length: 2\n\n{}',
    );
    expect(answer).toContain('{"error":"Missing required parameter(s): ref, repo"}\n');
  });
});

test('keys are sorted at every level, on one line', async () => {
  const { text: body } = await client.call('POST', '/requests', {
    body: { repo: REPO, ref: REF, flags: ['gomod-vendor', 'cgo-disable'] },
  });
  const sorted = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(sorted);
    return Object.fromEntries(
      Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, member]) => [name, sorted(member)]),
    );
  };
  expect(body).toBe(`${JSON.stringify(sorted(JSON.parse(body)))}\n`);
});
