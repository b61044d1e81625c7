import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { addUser } from '../../../src/domain/identity/accounts.ts';
import { TestGateway } from '../../support/gateway.ts';

const PASSWORD = 'zoe-and-nobody-else';
const ME = JSON.stringify({ query: '{ me { name isAdmin } }' });
const JSON_TYPE = { 'content-type': 'application/json' };

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.start({ credentialsCheckMs: 50, environment: { STOWAGE_LOGIN_FAILURES: '4' } });
  await addUser(gateway.stack.database, { name: 'zoe', password: PASSWORD });
});
afterAll(async () => {
  await gateway?.close();
});

type Headers = Record<string, string>;

const post = (path: string, body: string | URLSearchParams | FormData, headers: Headers = {}) =>
  fetch(`${gateway.url}${path}`, { method: 'POST', body, headers, redirect: 'manual' });
const get = (path: string, headers: Headers = {}) => fetch(`${gateway.url}${path}`, { headers });
const submitForm = (username: string, password: string, headers: Headers = {}) =>
  post('/login', new URLSearchParams({ username, password }), headers);

/** The cookie as the browser sends it back. */
async function logIn(headers: Headers = {}): Promise<Headers> {
  const response = await submitForm('zoe', PASSWORD, headers);
  expect(response.status).toBe(303);
  return { cookie: response.headers.get('set-cookie')!.split(';', 1)[0]! };
}

const nameBy = async (headers: Headers): Promise<string | null> => {
  const response = await post('/graphql', ME, { ...JSON_TYPE, ...headers });
  return ((await response.json()) as { data: { me: { name: string | null } } }).data.me.name;
};
const sessions = (): Promise<object[]> => gateway.stack.database.sql.query('select * from browser_sessions');

describe('The form', () => {
  test('logs in: a cookie that scripts, other sites and other hosts do not get', async () => {
    const response = await submitForm('zoe', PASSWORD);
    expect([
      response.status,
      response.headers.get('location'),
      response.headers.get('cache-control'),
    ]).toEqual([...[303, 'graphql', 'no-store']]);
    expect(response.headers.get('set-cookie')).toMatch(
      /^stowage=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/,
    );
    const cookie = response.headers.get('set-cookie')!.split(';', 1)[0]!;
    expect(await nameBy({ cookie })).toBe('zoe');
    const rows = JSON.stringify(await sessions());
    expect(rows).not.toContain(cookie.slice('stowage='.length));
    expect(await (await get('/login', { cookie })).text()).toContain('You are <b>zoe</b>');
  });

  test('can be used with a keyboard and a screen reader, and loads nothing', async () => {
    const response = await get('/login');
    const page = await response.text();
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store']);
    // With another one browsers send the form with `Origin: null`.
    expect(response.headers.get('referrer-policy')).toBe('same-origin');
    expect(response.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/]+=*'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'$/,
    );
    expect(page).not.toMatch(/<script|<link|<img| on\w+=|style="/i);
    for (const id of ['username', 'password']) expect(page).toContain(`<label for="${id}">`);
    expect(page).toContain('<html lang="en">');
    expect(page).not.toContain('role="alert"');
  });

  test('says what is wrong, and no more to whoever guesses', async () => {
    const wrong = await submitForm('zoe', 'wrong');
    const unknown = await submitForm('nobody-<b>', 'wrong');
    for (const response of [wrong, unknown]) {
      expect([
        response.status,
        response.headers.get('www-authenticate'),
        response.headers.get('set-cookie'),
      ]).toEqual([...[401, 'Bearer realm="Stowage"', null]]);
    }
    const page = await wrong.text();
    expect(page).toBe(await unknown.text());
    expect(page).toContain('role="alert">The user name or the password is wrong.</p>');
    expect(page).toContain(' aria-describedby="problem"');
    const token = gateway.authorizations.ada!.slice('Bearer '.length);
    expect((await submitForm('ada', token)).status).toBe(401);
    for (const body of ['', 'username=zoe', 'username=zoe&username=ada&password=x', 'password=x']) {
      const type = { 'content-type': 'application/x-www-form-urlencoded' };
      expect((await post('/login', body, type)).status, body).toBe(400);
    }
    expect((await post('/login', ME, JSON_TYPE)).status).toBe(415);
    expect((await submitForm('zoe', 'x'.repeat(10_000))).status).toBe(413);
  });

  test('makes who guesses wait', async () => {
    for (let count = 0; count < 4; count += 1)
      expect((await submitForm('bob', `wrong ${count}`)).status).toBe(401);
    const response = await submitForm('bob', 'wrong');
    expect([response.status, Number(response.headers.get('retry-after')) > 0]).toEqual([429, true]);
    expect(await response.text()).toContain('There were too many wrong passwords; try again later.</p>');
  });

  test.each<Headers>([
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'none' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
  ])('is not sent by other pages: %o', async (headers) => {
    const response = await submitForm('zoe', PASSWORD, headers);
    expect([response.status, response.headers.get('set-cookie')]).toEqual([403, null]);
    const session = await logIn();
    expect((await post('/logout', new URLSearchParams(), { ...session, ...headers })).status).toBe(403);
    expect(await nameBy(session)).toBe('zoe');
  });

  test('is known to be ours by what browsers say', async () => {
    await logIn({ 'sec-fetch-site': 'same-origin' });
    await logIn({ origin: gateway.url });
  });
});

describe('A session', () => {
  test.each<[string, Headers]>([
    ['another site', { ...JSON_TYPE, 'sec-fetch-site': 'cross-site' }],
    ['another host of the site', { ...JSON_TYPE, 'sec-fetch-site': 'same-site' }],
    ['another origin', { ...JSON_TYPE, origin: 'http://evil.example' }],
    ['a frame without one', { ...JSON_TYPE, origin: 'null' }],
    ['a form', { 'content-type': 'text/plain' }],
    ['a form with JSON in its type', { 'content-type': 'text/plain; a=application/json' }],
    ['a form of fields', { 'content-type': 'application/x-www-form-urlencoded' }],
  ])('is nothing to %s', async (_, headers) => {
    const session = await logIn();
    const mutation = JSON.stringify({ query: 'mutation { createProject(name: "stolen") { __typename } }' });
    const response = await post('/graphql', mutation, { ...session, ...headers });
    expect(await response.text()).not.toContain('Success');
    const projects = "select from projects where name = 'stolen'";
    expect(await gateway.stack.database.sql.query(projects)).toEqual([]);
  });

  test('uploads with the header that no form can send', async () => {
    const session = await logIn();
    const form = (): FormData => {
      const body = new FormData();
      const query = 'mutation ($f: Upload!) { uploadSource(file: $f) { __typename ... on Error { code } } }';
      body.set('operations', JSON.stringify({ query, variables: { f: null } }));
      body.set('map', '{"0":["variables.f"]}');
      body.set('0', new Blob(['no archive']), 'x.tar');
      return body;
    };
    expect((await post('/graphql', form(), session)).status).toBe(403);
    const response = await post('/graphql', form(), { ...session, 'x-stowage-csrf': '1' });
    const text = await response.text();
    expect([response.status, text.includes('unauthenticated')], text).toEqual([200, false]);
  });

  test('reads with GET, and what it reads is kept by nobody', async () => {
    const session = await logIn();
    const response = await get('/graphql?query={me{name}}', session);
    expect(await response.json()).toEqual({ data: { me: { name: 'zoe' } } });
    expect(response.headers.get('cache-control')).toBe('private, no-store');
    const mutation = encodeURIComponent('mutation { createProject(name: "got") { __typename } }');
    expect((await get(`/graphql?query=${mutation}`, session)).status).toBe(405);
    const foreign = await get('/graphql?query={me{name}}', { ...session, 'sec-fetch-site': 'cross-site' });
    expect(await foreign.json()).toEqual({ data: { me: { name: null } } });
    expect((await get('/bundle-requests/999/log', session)).status).toBe(404);
  });

  test('is nothing to the dialects, to the registry and to web sockets', async () => {
    const session = await logIn();
    const statuses = await Promise.all([
      post('/api/v1/requests', '{}', { ...JSON_TYPE, ...session }),
      post('/api/images', '{}', { ...JSON_TYPE, ...session }),
      get('/repository/api/project/list', session),
      get('/v2/', session),
    ]);
    expect(statuses.map(({ status }) => status)).toEqual([401, 401, 401, 401]);

    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
      headers: session,
    });
    await once(socket, 'open');
    socket.send(JSON.stringify({ type: 'connection_init' }));
    await once(socket, 'message');
    socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: '{ me { name } }' } }));
    const [message] = await once(socket, 'message');
    expect(JSON.parse(String(message)).payload).toEqual({ data: { me: { name: null } } });
    socket.close();
  });

  test('does not count beside other credentials', async () => {
    const session = await logIn();
    expect(await nameBy({ ...session, authorization: gateway.authorizations.ada! })).toBe('ada');
    const wrong = await post('/graphql', ME, { ...JSON_TYPE, ...session, authorization: 'Bearer stw_wrong' });
    expect(wrong.status).toBe(401);
  });

  test.each([
    'stowage=',
    'stowage=x',
    `stowage=${'A'.repeat(43)}`,
    `stowage=${'A'.repeat(43)}\u00e9`,
    `__Host-stowage=${'A'.repeat(43)}`,
    `stowage=${'A'.repeat(20_000)}`,
    '; ;=;stowage',
  ])('is not forged: %s', async (cookie) => {
    expect(await nameBy({ cookie })).toBe(null);
  });

  test('that somebody puts beside the own one makes both nothing', async () => {
    const { cookie } = await logIn();
    const other = await logIn();
    expect(await nameBy({ cookie: `${other.cookie}; ${cookie}` })).toBe(null);
    expect(await nameBy({ cookie: `a=b; ${cookie}; xstowage=1` })).toBe('zoe');
  });

  test('ends when its user logs out, with the subscriptions that it had opened, and is replaced by the next one', async () => {
    const session = await logIn();
    const query = 'subscription { bundleRequestFeed { cursor } }';
    const stream = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { ...JSON_TYPE, accept: 'text/event-stream', ...session },
      body: JSON.stringify({ query }),
    });
    expect(stream.status).toBe(200);
    const response = await post('/logout', new URLSearchParams(), session);
    expect([response.status, response.headers.get('location'), response.headers.get('set-cookie')]).toEqual([
      ...[303, 'login', 'stowage=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict'],
    ]);
    expect(await nameBy(session)).toBe(null);
    expect(await stream.text()).toContain('The session is over');

    const first = await logIn();
    const second = await logIn(first);
    expect([await nameBy(first), await nameBy(second)]).toEqual([null, 'zoe']);
  });

  test.each([
    ['twelve hours', "update browser_sessions set expires_at = now() - interval '1 second'"],
    ['two hours without a request', "update browser_sessions set last_used_at = now() - interval '2 hours'"],
    ['the end of the account', "update users set disabled_at = now() where name = 'zoe'"],
    ['a new password', "update users set password_hash = password_hash || 'x' where name = 'zoe'"],
    ['the password is taken away', "update users set password_hash = null where name = 'zoe'"],
  ])('ends with %s', async (_, change) => {
    const session = await logIn();
    expect(await nameBy(session)).toBe('zoe');
    const { sql } = gateway.stack.database;
    const [before] = await sql.query<{ hash: string }>(
      "select password_hash as hash from users where name = 'zoe'",
    );
    await sql.query(change);
    expect(await nameBy(session)).toBe(null);
    await sql.query("update users set disabled_at = null, password_hash = $1 where name = 'zoe'", [
      before!.hash,
    ]);
  });

  test('is used as long as it is used, and a user has twenty at most', async () => {
    const { sql } = gateway.stack.database;
    const session = await logIn();
    await sql.query("update browser_sessions set last_used_at = now() - interval '119 minutes'");
    expect(await nameBy(session)).toBe('zoe');
    const [{ idle } = { idle: null }] = await sql.query<{ idle: boolean }>(
      "select max(last_used_at) < now() - interval '1 minute' as idle from browser_sessions",
    );
    expect(idle).toBe(false);
    for (let count = 0; count < 20; count += 1) await logIn();
    expect(await sessions()).toHaveLength(20);
    expect(await nameBy(session)).toBe(null);
  });

  test('is in the audit log: its beginning and its end', async () => {
    const { sql } = gateway.stack.database;
    await sql.query('delete from browser_sessions');
    await post('/logout', new URLSearchParams(), await logIn());
    const rows = await sql.query(
      `select user_name as "user", action, details from audit_log order by id desc limit 2`,
    );
    expect(rows).toEqual([
      { user: 'zoe', action: 'logOut', details: {} },
      { user: 'zoe', action: 'logIn', details: { browser: true } },
    ]);
  });
});

test('behind HTTPS the cookie is for HTTPS and for this host alone', async () => {
  const secure = await TestGateway.start({ environment: { STOWAGE_PUBLIC_URL: 'https://stowage.example' } });
  await addUser(secure.stack.database, { name: 'zoe', password: PASSWORD });
  const response = await fetch(`${secure.url}/login`, {
    method: 'POST',
    headers: { origin: 'https://stowage.example' },
    body: new URLSearchParams({ username: 'zoe', password: PASSWORD }),
    redirect: 'manual',
  });
  const cookie = response.headers.get('set-cookie')!;
  expect(cookie).toMatch(/^__Host-stowage=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
  const ask = async (name: string): Promise<unknown> => {
    const value = cookie.split(';', 1)[0]!.replace('__Host-stowage', name);
    const headers = { ...JSON_TYPE, cookie: value, origin: 'https://stowage.example' };
    return await (await fetch(`${secure.url}/graphql`, { method: 'POST', headers, body: ME })).json();
  };
  expect(await ask('__Host-stowage')).toMatchObject({ data: { me: { name: 'zoe' } } });
  expect(await ask('stowage')).toMatchObject({ data: { me: { name: null } } });
  await secure.close();
});
