import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  REGISTRY_KINDS,
  type RegistryKind,
} from '../../../src/domain/package-registries/registry-address.ts';
import { makeTarball } from '../../support/npm-registry.ts';
import { RegistryServer } from '../../support/registry-server.ts';

const FILES = {
  'app/index.js': 'source',
  'deps/npm/left/left-1.0.0.tgz': makeTarball({ 'package.json': '{"name":"left","version":"1.0.0"}' }),
  'deps/yarn/left/left-1.0.0.tgz': makeTarball({ 'package.json': '{"name":"left","version":"1.0.0"}' }),
  'deps/pip/left/left-1.0.tar.gz': 'a release',
  'deps/pip/external-url/url-external-sha256-00.tar.gz': 'an archive',
  'deps/rubygems/left/left-1.0.gem': 'no real gem',
  'deps/gomod/pkg/mod/cache/download/example.org/left/@v/list': 'v1.0.0\n',
};
/** Something that each registry has. */
const PATHS: Record<RegistryKind, string> = {
  npm: 'left/-/left-1.0.0.tgz',
  yarn: 'left/-/left-1.0.0.tgz',
  'pip-hosted': 'simple/left/',
  'pip-raw': 'external-url/url-external-sha256-00.tar.gz',
  'rubygems-hosted': 'gems/left-1.0.gem',
  gomod: 'example.org/left/@v/list',
};
const REFUSED = { error: 'Wrong or missing credentials for the packages of this request' };

let server: RegistryServer;
let id: number;

beforeAll(async () => {
  server = await RegistryServer.start();
  id = await server.complete(FILES);
});
afterAll(() => server.close());

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

describe.each(REGISTRY_KINDS)('The registry %s', (kind) => {
  test('serves whoever knows the password, for GET and HEAD', async () => {
    const got = await server.get(kind, id, PATHS[kind]);
    expect(got.status).toBe(200);
    const body = Buffer.from(await got.arrayBuffer());
    const head = await server.get(kind, id, PATHS[kind], { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(head.headers.get('content-length')).toBe(String(body.length));
    expect(await head.text()).toBe('');
  });

  test('answers conditional requests', async () => {
    const etag = (await server.get(kind, id, PATHS[kind])).headers.get('etag')!;
    const again = await server.get(kind, id, PATHS[kind], { headers: { 'if-none-match': etag } });
    expect(again.status).toBe(304);
    expect(again.headers.get('etag')).toBe(etag);
  });

  test('refuses wrong and missing credentials', async () => {
    const password = (await server.password(id))!;
    const user = kind.replace(/-.*/, '');
    const other = await server.complete(FILES);
    for (const authorization of [
      undefined,
      '',
      'Basic',
      'Basic !!!',
      'Bearer token',
      basic(''),
      basic('no colon'),
      basic(`cachito-${user}-${id}`),
      basic(`cachito-${user}-${id}:`),
      basic(`cachito-${user}-${id}:${password}x`),
      basic(`cachito-${user}-${id}:${password.toUpperCase()}`),
      basic(`cachito-${user}-${other}:${password}`),
      basic(`someone:${password}`),
      basic(`${password}`),
    ]) {
      const response = await fetch(`${server.base(kind, id)}${PATHS[kind]}`, {
        headers: authorization === undefined ? {} : { authorization },
      });
      expect(response.status, authorization).toBe(401);
      expect(response.headers.get('www-authenticate')).toBe(
        'Basic realm="Stowage packages", charset="UTF-8"',
      );
      expect(await response.json()).toEqual(REFUSED);
    }
    const ofOther = await fetch(`${server.base(kind, other)}${PATHS[kind]}`, {
      headers: { authorization: await server.authorization(kind, id) },
    });
    expect(ofOther.status).toBe(401);
  });

  test('is read-only', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const response = await server.get(kind, id, PATHS[kind], {
        method,
        headers: { 'content-type': 'text/odd' },
      });
      expect(response.status, method).toBe(405);
      expect(response.headers.get('allow')).toBe('GET, HEAD');
      expect(await response.json()).toEqual({ error: 'Packages of a request can only be read' });
    }
  });

  test.each([
    '',
    'nothing',
    '..%2f..%2fapp%2findex.js',
    'app/index.js',
    '%00',
    'constructor',
    '__proto__',
    '@',
    '@scope',
    'left/-/..%2f..%2fapp',
    `${'a/'.repeat(500)}`,
    'simple/nothing/',
    'simple/left/more/',
    'info/nothing',
    'gems/nothing.gem',
    'example.org/left/@latest',
    'example.org/left/@v/v1.0.0.lock',
    'sumdb/sum.example/supported',
  ])('has nothing at "%s"', async (path) => {
    const response = await server.get(kind, id, path);
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({ error: 'The request has no such package' });
  });
});

test.each(['%', '%ff'])('A path that cannot be decoded is no path: %s', async (path) => {
  expect((await server.get('npm', id, path)).status).toBe(400);
});

describe('The credentials of a request', () => {
  test('are 24 to 32 hex characters, others for each request', async () => {
    const other = await server.complete(FILES);
    expect(await server.password(id)).toMatch(/^[0-9a-f]{24,32}$/);
    expect(await server.password(other)).not.toBe(await server.password(id));
  });

  test('end when the request becomes stale', async () => {
    const request = await server.complete(FILES);
    expect((await server.get('npm', request, PATHS.npm)).status).toBe(200);
    await server.changeState(request, 'stale');
    const response = await server.get('npm', request, PATHS.npm);
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual(REFUSED);
  });

  test('do not exist before the request is complete', async () => {
    const { id: pending } = (
      await server.database.sql.query<{ id: number }>(
        `insert into bundle_requests (rules, package_managers, state, state_reason)
         values ('cachito', '{npm}', 'in_progress', 'The request was initiated') returning id`,
      )
    )[0]!;
    for (const password of ['', 'null', 'undefined']) {
      const response = await fetch(`${server.base('npm', pending)}${PATHS.npm}`, {
        headers: { authorization: basic(`cachito-npm-${pending}:${password}`) },
      });
      expect(response.status).toBe(401);
    }
    await server.changeState(pending, 'failed');
    expect(await server.password(pending)).toBeNull();
  });

  test('open an empty registry when the request has no bundle', async () => {
    const request = await server.complete(FILES);
    await server.database.sql.query('update bundle_requests set bundle_digest = null where id = $1', [
      request,
    ]);
    expect((await server.get('npm', request, PATHS.npm)).status).toBe(404);
  });

  test.each([
    'cachito-npm-0',
    'cachito-npm-',
    'cachito-maven-1',
    'npm',
    'cachito-npm-1x',
    'cachito-pip-1',
    '',
  ])('there is no registry "%s"', async (name) => {
    const response = await fetch(`${server.url}/packages/${name}/left`);
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({ error: 'There is no such package registry' });
  });

  test('requests that do not exist look like those whose password is wrong', async () => {
    const response = await fetch(`${server.base('npm', 999_999)}left`, {
      headers: { authorization: basic('cachito-npm-999999:') },
    });
    expect(response.status).toBe(401);
  });
});
