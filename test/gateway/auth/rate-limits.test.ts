import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { addUser } from '../../../src/domain/identity/accounts.ts';
import { ADMIN_PASSWORD, TestGateway } from '../../support/gateway.ts';

const QUERY = JSON.stringify({ query: '{ me { name } }' });
const basic = (name: string, password: string): string =>
  `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;

describe('Too many wrong passwords', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await TestGateway.start({
      environment: {
        STOWAGE_TRUSTED_PROXIES: 'loopback',
        STOWAGE_LOGIN_FAILURES: '3',
        STOWAGE_LOGIN_FAILURES_PER_ADDRESS: '5',
      },
    });
    await addUser(gateway.stack.database, { name: 'zoe', password: 'zoe-and-nobody-else' });
  });
  afterAll(async () => {
    await gateway?.close();
  });

  const call = async (
    path: string,
    { from, authorization, body, type }: Record<'from', string> & Record<string, string>,
  ): Promise<{ status: number; retryAfter: string | null; body: unknown }> => {
    const response = await fetch(`${gateway.url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        'x-forwarded-for': from,
        ...(authorization !== undefined && { authorization }),
        ...(body !== undefined && { 'content-type': type ?? 'application/json' }),
      },
      ...(body !== undefined && { body }),
    });
    const text = await response.text();
    return {
      status: response.status,
      retryAfter: response.headers.get('retry-after'),
      body: text === '' ? null : JSON.parse(text),
    };
  };
  const logIn = async (from: string, name: string, password: string): Promise<number> =>
    (await call('/graphql', { from, authorization: basic(name, password), body: QUERY })).status;

  test('make the next ones wait, in the words of each dialect; the right one too, but from where it was known', async () => {
    expect(await logIn('192.0.2.7', 'admin', ADMIN_PASSWORD)).toBe(200);
    for (let count = 0; count < 3; count += 1)
      expect(await logIn('192.0.2.1', 'admin', `wrong ${count}`)).toBe(401);

    const from = '192.0.2.2';
    const authorization = basic('admin', 'still wrong');
    // The clock goes on.
    const refused = { retryAfter: expect.stringMatching(/^(2\d\d|300)$/) };
    const details = { retryAfterSeconds: expect.any(Number) };
    const message = 'There were too many wrong passwords; try again later';
    expect(await call('/graphql', { from, authorization, body: QUERY })).toEqual({
      ...{ status: 429, ...refused },
      body: {
        errors: [
          {
            message,
            extensions: {
              code: 'too-many-requests',
              hint: 'Tokens are not affected.',
              details,
            },
          },
        ],
      },
    });
    const unlisted = { errors: [{ code: 'TOOMANYREQUESTS', message, detail: details }] };
    expect(await call('/v2/', { from, authorization })).toEqual({ status: 429, ...refused, body: unlisted });
    expect(await call('/v2/auth?service=bkrepo', { from, authorization })).toEqual({
      ...{ status: 429, ...refused, body: unlisted },
    });
    const form = 'grant_type=password&username=admin&password=wrong&service=bkrepo&client_id=x';
    expect(await call('/v2/auth', { from, body: form, type: 'application/x-www-form-urlencoded' })).toEqual({
      status: 429,
      ...refused,
      body: unlisted,
    });
    expect(await call('/repository/api/project/list', { from, authorization })).toEqual({
      ...{ status: 429, ...refused },
      body: expect.objectContaining({ code: 250129, message: 'Too many requests' }),
    });
    const credentials = JSON.stringify({ username: 'admin', password: ADMIN_PASSWORD });
    expect(await call('/api/tokens', { from, body: credentials })).toEqual({
      ...{ status: 429, ...refused, body: { message: [message] } },
    });
    // Its clients know no 429.
    expect(await call('/api/v1/requests', { from, authorization, body: '{}' })).toEqual({
      ...{ status: 503, ...refused, body: { error: message } },
    });

    expect(await logIn('192.0.2.7', 'admin', 'mistyped')).toBe(401);
    expect(await logIn('192.0.2.7', 'admin', ADMIN_PASSWORD)).toBe(200);
    const token = { from: '192.0.2.1', authorization: gateway.authorizations.admin!, body: QUERY };
    expect((await call('/graphql', token)).status).toBe(200);
  });

  test('of many names from one address keep it waiting, and no other', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e'])
      expect(await logIn('203.0.113.1', name, 'spring')).toBe(401);
    expect(await logIn('203.0.113.1', 'zoe', 'zoe-and-nobody-else')).toBe(429);
    expect(await logIn('203.0.113.2', 'zoe', 'zoe-and-nobody-else')).toBe(200);
  });

  test('are no matter of a client that asks much at a time with the right one, from an address that is new', async () => {
    const asked = Array.from({ length: 40 }, () => logIn('203.0.113.9', 'zoe', 'zoe-and-nobody-else'));
    expect(new Set(await Promise.all(asked))).toEqual(new Set([200]));
  });

  test('a web socket is told to come again, by the address that the proxy names', async () => {
    for (let count = 0; count < 3; count += 1) await logIn('198.51.100.1', 'bob', `wrong ${count}`);
    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
      headers: { 'x-forwarded-for': '198.51.100.1' },
    });
    await once(socket, 'open');
    const payload = { authorization: basic('bob', 'wrong') };
    socket.send(JSON.stringify({ type: 'connection_init', payload }));
    expect((await once(socket, 'close'))[0]).toBe(1013);
  });
});

test('the audit log has the client of a web socket as a trusted proxy names it, and of nobody else', async () => {
  const gateway = await TestGateway.start({
    environment: { STOWAGE_TRUSTED_PROXIES: '127.0.0.1 10.0.0.0/8' },
  });
  const make = async (name: string, options: object): Promise<void> => {
    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
      headers: {
        authorization: gateway.authorizations.ada!,
        'x-forwarded-for': '192.0.2.9, 198.51.100.4, 10.1.2.3',
      },
      ...options,
    });
    await once(socket, 'open');
    socket.send(JSON.stringify({ type: 'connection_init' }));
    await once(socket, 'message');
    const query = `mutation { createProject(name: "${name}") { __typename } }`;
    socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
    await once(socket, 'message');
    socket.close();
  };
  await make('by-proxy', {});
  await make('by-itself', { localAddress: '127.0.0.2' });
  const { sql } = gateway.stack.database;
  expect(
    await sql.query("select address from audit_log where action = 'createProject' order by id desc limit 2"),
  ).toEqual([{ address: '127.0.0.2' }, { address: '198.51.100.4' }]);
  await gateway.close();
});

test('a client that asks for too much is answered 429, where its kind knows that', async () => {
  const gateway = await TestGateway.start({ environment: { STOWAGE_REQUEST_RATE: '1' } });
  const statuses = async (path: string): Promise<(number | string | null)[]> => {
    const response = await fetch(`${gateway.url}${path}`);
    await response.arrayBuffer();
    return [response.status, response.headers.get('retry-after')];
  };
  const LATER = [429, expect.stringMatching(/^([1-5]?\d|60)$/)];
  expect((await gateway.post(QUERY)).status).toBe(200);
  const refused = await gateway.graphql('{ me { name } }');
  expect(refused.errors[0]!.extensions?.code).toBe('too-many-requests');
  expect([refused.status, refused.headers.get('retry-after')]).toEqual(LATER);
  expect(await statuses('/v2/')).toEqual(LATER);
  expect(await statuses('/docker/ext/addr')).toEqual(LATER);
  for (const path of ['/readyz', '/metrics', '/api/v1/requests', '/']) {
    expect(await statuses(path), path).toEqual([200, null]);
  }
  const client = gateway.socket();
  const answer = await new Promise((resolve) => {
    client.subscribe(
      { query: '{ me { name } }' },
      { next: resolve, error: resolve, complete: () => undefined },
    );
  });
  expect(answer).toEqual([expect.objectContaining({ message: expect.stringMatching(/^Too many requests/) })]);
  await client.dispose();
  await gateway.close();
});
