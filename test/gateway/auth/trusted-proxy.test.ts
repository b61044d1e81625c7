import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSettings } from '../../../src/domain/config.ts';
import { trustedProxyReader } from '../../../src/gateway/auth/trusted-proxy.ts';
import { TestGateway } from '../../support/gateway.ts';

/** The web server in front says who asks (cachito.md 1.2); it has the address 127.0.0.2 here. */
let gateway: TestGateway;

beforeAll(async () => {
  gateway = await TestGateway.start({
    environment: {
      STOWAGE_TRUSTED_PROXIES: '127.0.0.2 10.0.0.0/8',
      STOWAGE_WORKER_USERNAMES: '["CN=w, x,C=US"]',
    },
  });
});

afterAll(() => gateway.close());

type Headers = Record<string, string | string[]>;

/** A call from one of the addresses of this machine. */
async function from(
  localAddress: string,
  headers: Headers,
  { method = 'POST', path = '/graphql', body = '{"query":"{ me { name } }"}' } = {},
): Promise<{ status: number; body: string }> {
  const sent = request(`${gateway.url}${path}`, {
    method,
    localAddress,
    headers: { 'content-type': 'application/json', ...headers },
  });
  const answer = new Promise<{ status: number; body: string }>((resolve, reject) => {
    sent.once('response', (response) => {
      text(response).then((content) => resolve({ status: response.statusCode!, body: content }), reject);
    });
    sent.once('error', reject);
  });
  // As bytes: with a text the headers would be sent in its encoding.
  sent.end(Buffer.from(body));
  return await answer;
}

const nameOf = async (headers: Headers, address = '127.0.0.2'): Promise<string | null> =>
  JSON.parse((await from(address, headers)).body).data.me.name;

const verified = { 'x-ssl-client-verify': 'SUCCESS' };

describe('From a trusted address', () => {
  test.each<[string, Headers, string | null]>([
    ['a user', { 'x-remote-user': 'tbrady@DOMAIN.LOCAL' }, 'tbrady@DOMAIN.LOCAL'],
    ['a user whom we know', { 'x-remote-user': 'ada' }, 'ada'],
    ['a name that is not ASCII', { 'x-remote-user': Buffer.from('zoë').toString('latin1') }, 'zoë'],
    ['a certificate', { ...verified, 'x-ssl-client-s-dn': 'CN=ada,O=Example,C=US' }, 'CN=ada,O=Example,C=US'],
    ['both', { ...verified, 'x-ssl-client-s-dn': 'CN=ada', 'x-remote-user': 'bob' }, 'bob'],
    ['a certificate that failed', { 'x-ssl-client-verify': 'FAILED:x', 'x-ssl-client-s-dn': 'CN=ada' }, null],
    ['a certificate that nobody looked at', { 'x-ssl-client-s-dn': 'CN=ada' }, null],
    ['nothing', {}, null],
    ['empty values', { ...verified, 'x-remote-user': '', 'x-ssl-client-s-dn': '' }, null],
    ['values that httpd had not', { 'x-remote-user': '(null)', 'x-ssl-client-verify': '(null)' }, null],
  ])('%s', async (_title, headers, name) => {
    expect(await nameOf(headers)).toBe(name);
  });

  test('what is no name, or there twice, is no login', async () => {
    for (const user of ['x'.repeat(501), ['ada', 'bob']]) {
      expect((await from('127.0.0.2', { 'x-remote-user': user })).status).toBe(401);
    }
  });

  test('a user who is disabled is no login', async () => {
    const { sql } = gateway.stack.database;
    await sql.query(`update users set disabled_at = now() where name = 'eve'`);
    expect((await from('127.0.0.2', { 'x-remote-user': 'eve' })).status).toBe(401);
  });

  test('the header counts more than credentials, which count when it is not there', async () => {
    const { authorization } = gateway.headers('bob');
    expect(await nameOf({ authorization: authorization!, 'x-remote-user': 'ada' })).toBe('ada');
    expect(await nameOf({ authorization: authorization! })).toBe('bob');
  });

  test('new users come once, also when many of their calls come at once', async () => {
    const names = await Promise.all(Array.from({ length: 10 }, () => nameOf({ 'x-remote-user': 'crowd' })));
    expect(new Set(names)).toEqual(new Set(['crowd']));
  });

  test("Cachito's API takes it: a worker by the subject of its certificate", async () => {
    const headers = { ...verified, 'x-ssl-client-s-dn': 'CN=w, x,C=US' };
    const change = { method: 'PATCH', path: '/api/v1/requests/1', body: '{"packages_count":1}' };
    expect((await from('127.0.0.2', headers, change)).status).toBe(404);
    expect((await from('127.0.0.2', { 'x-remote-user': 'ada' }, change)).status).toBe(403);
    expect((await from('127.0.0.2', {}, change)).status).toBe(401);
  });
});

test('from any other address the headers are ignored, also what was forwarded before', async () => {
  const headers = { 'x-remote-user': 'admin', 'x-forwarded-for': '127.0.0.2', forwarded: 'for=127.0.0.2' };
  for (const address of ['127.0.0.1', '127.0.0.3']) {
    expect(await nameOf(headers, address)).toBeNull();
    expect(await nameOf({ ...headers, ...gateway.headers('bob') }, address)).toBe('bob');
  }
});

describe('Which address is trusted', () => {
  type Incoming = Parameters<ReturnType<typeof trustedProxyReader>>[0];
  const incoming = (remoteAddress: string | undefined): Incoming =>
    ({ socket: { remoteAddress }, headersDistinct: { 'x-remote-user': ['ada'] } }) as unknown as Incoming;

  test.each<[string, string | undefined, boolean]>([
    ['127.0.0.2', '127.0.0.2', true],
    ['127.0.0.2', '::ffff:127.0.0.2', true],
    ['127.0.0.2', '127.0.0.20', false],
    ['10.1.0.0/16', '10.1.255.255', true],
    ['10.1.0.0/16', '10.2.0.0', false],
    ['fd00::/8', 'fd12::1', true],
    ['fd00::/8', 'fe80::1', false],
    ['::1', '::1', true],
    ['loopback', '127.9.9.9', true],
    ['loopback', '::1', true],
    ['uniquelocal', '192.168.1.1', true],
    ['linklocal', '169.254.1.1', true],
    ['uniquelocal', '8.8.8.8', false],
    ['', '127.0.0.1', false],
    // A socket of the file system, or one that is gone.
    ['loopback', undefined, false],
  ])('with "%s", %s: %s', (setting, address, isTrusted) => {
    const read = trustedProxyReader(readSettings({ STOWAGE_TRUSTED_PROXIES: setting }));
    expect(read(incoming(address))).toBe(isTrusted ? 'ada' : null);
  });

  test.each(['nonsense', '10.0.0.0/33', '10.0.0.0/8/8', '300.0.0.1', '::/129', '10.0.0.0/'])(
    '"%s" is refused at the start',
    (setting) => {
      expect(() => readSettings({ STOWAGE_TRUSTED_PROXIES: setting })).toThrow(
        `STOWAGE_TRUSTED_PROXIES: "${setting}" is neither an address`,
      );
    },
  );

  test('the headers can have other names', () => {
    const settings = readSettings({
      STOWAGE_TRUSTED_PROXIES: 'loopback',
      STOWAGE_PROXY_USER_HEADER: 'Remote_User',
    });
    const headersDistinct = { 'x-remote-user': ['eve'], remote_user: ['ada'] };
    expect(trustedProxyReader(settings)({ ...incoming('::1'), headersDistinct } as unknown as Incoming)).toBe(
      'ada',
    );
    expect(() => readSettings({ STOWAGE_PROXY_USER_HEADER: 'a b' })).toThrow('is not the name of a header');
  });
});

describe('Names in settings', () => {
  test.each<[string, string[]]>([
    ['ada bob,eve', ['ada', 'bob', 'eve']],
    ['["CN=a, b,C=US", "bob"]', ['CN=a, b,C=US', 'bob']],
    [' []', []],
  ])('%s', (setting, names) => {
    expect(readSettings({ STOWAGE_WORKER_USERNAMES: setting }).workerUsernames).toEqual(names);
  });

  test.each(['[', '[1]', '["a"'])('%s is refused', (setting) => {
    expect(() => readSettings({ STOWAGE_WORKER_USERNAMES: setting })).toThrow(
      'STOWAGE_WORKER_USERNAMES must be words or a JSON array of strings',
    );
  });
});
