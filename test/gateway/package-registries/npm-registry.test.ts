import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeTarball } from '../../support/npm-registry.ts';
import { RegistryServer } from '../../support/registry-server.ts';

const COMMIT = 'ab'.repeat(20);
const ABBREVIATED = { accept: 'application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8' };

const tarball = (manifest: object, files: Record<string, string> = {}): Buffer =>
  makeTarball({ 'package.json': JSON.stringify(manifest), ...files });

const LEFT = tarball({
  name: 'left',
  version: '1.10.0',
  description: 'to the left',
  readme: '# long',
  bin: './cli.js',
  scripts: { postinstall: 'exit 0' },
  dependencies: { right: '^1.0.0' },
  engines: { node: '>=18' },
  os: ['linux'],
});
const OLD_LEFT = tarball({ name: 'left', version: '1.9.0' }, { 'npm-shrinkwrap.json': '{}' });
const TOOL = tarball({ name: '@scope/tool', version: '2.0.0-beta.1', bin: { tool: 'cli.js' } });
const FROM_GIT = tarball({ name: '@scope/from-git', version: `3.1.0-external-gitcommit-${COMMIT}` });
const FILES = {
  'deps/npm/left/left-1.10.0.tgz': LEFT,
  'deps/npm/left/left-1.9.0.tgz': OLD_LEFT,
  'deps/npm/@scope/tool/scope-tool-2.0.0-beta.1.tgz': TOOL,
  [`deps/npm/github/ns/repo/scope-from-git-3.1.0-external-gitcommit-${COMMIT}.tgz`]: FROM_GIT,
  [`deps/npm/external-left/left-4.0.0-external-sha512-${'0'.repeat(128)}.tgz`]: tarball({ name: 'left' }),
  'deps/npm/external-left/external-left-1.0.0.tgz': tarball({ name: 'external-left' }),
  'deps/npm/broken/broken-1.0.0.tgz': 'no gzip at all',
  'deps/npm/odd/odd-1.0.0.tgz': makeTarball({ 'package.json': '["not", "an object"]' }),
  'deps/npm/zero/zero-1.0.0.tgz': tarball({ name: 'zero', description: 'a\u0000b' }),
  'deps/npm/loose/loose-1.0.2-beta.tgz': tarball({ name: 'loose' }),
  'deps/npm/build/build-1.0.0+7.tgz': tarball({ name: 'build' }),
  'deps/yarn/only-yarn/only-yarn-1.0.0.tgz': tarball({ name: 'only-yarn' }),
};

let server: RegistryServer;
let id: number;

beforeAll(async () => {
  server = await RegistryServer.start();
  id = await server.complete(FILES);
});
afterAll(() => server.close());

const dist = (name: string, fileName: string, content: Uint8Array | string) => ({
  integrity: `sha512-${createHash('sha512').update(content).digest('base64')}`,
  shasum: createHash('sha1').update(content).digest('hex'),
  tarball: `${server.base('npm', id)}${name}/-/${fileName}`,
});
const get = (path: string, headers: Record<string, string> = {}) => server.get('npm', id, path, { headers });
// biome-ignore lint/suspicious/noExplicitAny: compared as a whole.
const json = async (path: string, headers = {}): Promise<any> => (await get(path, headers)).json();

describe('A packument', () => {
  const EXTERNAL = `4.0.0-external-sha512-${'0'.repeat(128)}`;

  test('has the versions of the request, oldest first, with absolute addresses', async () => {
    const response = await get('left');
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(response.headers.get('vary')).toBe('accept');
    expect(await response.json()).toEqual({
      _id: 'left',
      name: 'left',
      'dist-tags': { latest: '1.10.0' },
      versions: {
        '1.9.0': {
          name: 'left',
          version: '1.9.0',
          _id: 'left@1.9.0',
          _hasShrinkwrap: true,
          dist: dist('left', 'left-1.9.0.tgz', OLD_LEFT),
        },
        '1.10.0': {
          name: 'left',
          version: '1.10.0',
          description: 'to the left',
          bin: { left: './cli.js' },
          scripts: { postinstall: 'exit 0' },
          dependencies: { right: '^1.0.0' },
          engines: { node: '>=18' },
          os: ['linux'],
          _id: 'left@1.10.0',
          hasInstallScript: true,
          dist: dist('left', 'left-1.10.0.tgz', LEFT),
        },
        [EXTERNAL]: {
          name: 'left',
          version: EXTERNAL,
          _id: `left@${EXTERNAL}`,
          dist: dist(
            'left',
            `left-${EXTERNAL}.tgz`,
            FILES[`deps/npm/external-left/left-${EXTERNAL}.tgz`] as Buffer,
          ),
        },
      },
    });
  });

  test('is abbreviated for installs', async () => {
    const response = await get('left', ABBREVIATED);
    expect(response.headers.get('content-type')).toBe('application/vnd.npm.install-v1+json');
    const { versions, ...rest } = (await response.json()) as { versions: Record<string, unknown> };
    expect(rest).toEqual({ name: 'left', 'dist-tags': { latest: '1.10.0' } });
    expect(versions['1.10.0']).toEqual({
      name: 'left',
      version: '1.10.0',
      bin: { left: './cli.js' },
      dependencies: { right: '^1.0.0' },
      engines: { node: '>=18' },
      os: ['linux'],
      hasInstallScript: true,
      dist: dist('left', 'left-1.10.0.tgz', LEFT),
    });
  });

  test.each(['@scope%2ftool', '@scope%2Ftool', '@scope/tool', '%40scope%2ftool'])(
    'of a scope: %s',
    async (path) => {
      expect(await json(path)).toEqual({
        _id: '@scope/tool',
        name: '@scope/tool',
        'dist-tags': { latest: '2.0.0-beta.1' },
        versions: {
          '2.0.0-beta.1': {
            name: '@scope/tool',
            version: '2.0.0-beta.1',
            bin: { tool: 'cli.js' },
            _id: '@scope/tool@2.0.0-beta.1',
            dist: dist('@scope/tool', 'tool-2.0.0-beta.1.tgz', TOOL),
          },
        },
      });
    },
  );

  test('of what lies below the name of its repository', async () => {
    const version = `3.1.0-external-gitcommit-${COMMIT}`;
    expect((await json('@scope%2ffrom-git')).versions[version]).toEqual({
      name: '@scope/from-git',
      version,
      _id: `@scope/from-git@${version}`,
      dist: dist('@scope/from-git', `from-git-${version}.tgz`, FROM_GIT),
    });
    expect((await get('scope-from-git')).status).toBe(404);
    expect((await get('repo')).status).toBe(404);
  });

  test('of a registry package whose name looks like an external one', async () => {
    expect(Object.keys((await json('external-left')).versions)).toEqual(['1.0.0']);
  });

  test.each(['broken', 'odd'])('of a tarball that cannot be understood: %s', async (name) => {
    const content = FILES[`deps/npm/${name}/${name}-1.0.0.tgz` as keyof typeof FILES]!;
    expect((await json(name)).versions['1.0.0']).toEqual({
      name,
      version: '1.0.0',
      _id: `${name}@1.0.0`,
      dist: dist(name, `${name}-1.0.0.tgz`, content),
    });
  });

  test('may hold what PostgreSQL takes for no text', async () => {
    expect((await json('zero')).versions['1.0.0'].description).toBe('a\u0000b');
    expect((await json('zero')).versions['1.0.0'].description).toBe('a\u0000b');
  });

  test('is not made of what belongs to yarn', async () => {
    expect((await get('only-yarn')).status).toBe(404);
    expect((await server.get('yarn', id, 'only-yarn')).status).toBe(200);
    expect((await server.get('yarn', id, 'left')).status).toBe(404);
  });

  test('is read from each tarball once, also by many at a time', async () => {
    const other = await server.complete(FILES);
    const answers = await Promise.all(Array.from({ length: 20 }, () => server.get('npm', other, 'left')));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const [counted] = await server.database.sql.query<{ count: number }>(
      `select count(*)::int from package_file_facts where reader = 'npm-tarball-1'`,
    );
    expect(counted!.count).toBeLessThanOrEqual(Object.keys(FILES).length);
  });
});

describe('A tarball', () => {
  test.each([
    ['left/-/left-1.10.0.tgz', LEFT],
    ['@scope/tool/-/tool-2.0.0-beta.1.tgz', TOOL],
    ['@scope%2ftool/-/tool-2.0.0-beta.1.tgz', TOOL],
    [`@scope/from-git/-/from-git-3.1.0-external-gitcommit-${COMMIT}.tgz`, FROM_GIT],
    ['loose/-/loose-1.0.2beta.tgz', FILES['deps/npm/loose/loose-1.0.2-beta.tgz']],
    ['build/-/build-1.0.0.tgz', FILES['deps/npm/build/build-1.0.0+7.tgz']],
    ['build/-/build-1.0.0%2B7.tgz', FILES['deps/npm/build/build-1.0.0+7.tgz']],
  ])('%s', async (path, content) => {
    const response = await get(path);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    expect(Buffer.from(await response.arrayBuffer())).toEqual(content);
  });

  test('can be read in parts', async () => {
    const response = await get('left/-/left-1.10.0.tgz', { range: 'bytes=10-19' });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(`bytes 10-19/${LEFT.length}`);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(LEFT.subarray(10, 20));
  });

  test.each([
    'left/-/left-1.11.0.tgz',
    'left/-/left-.tgz',
    'left/-/right-1.10.0.tgz',
    'left/-/left-1.10.0.tar',
    'left/-/',
  ])('that the request does not have: %s', async (path) => {
    expect((await get(path)).status).toBe(404);
  });
});

test('The registry answers pings', async () => {
  const response = await get('-/ping');
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({});
});
