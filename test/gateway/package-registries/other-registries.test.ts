import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeGem } from '../../support/gem-server.ts';
import { closedProxies } from '../../support/network.ts';
import { RegistryServer, selfSigned } from '../../support/registry-server.ts';
import { temporaryDirectory } from '../../support/resolve-context.ts';

const run = promisify(execFile);

const COMMIT = 'ab'.repeat(20);
const sha256 = (content: string | Uint8Array) => createHash('sha256').update(content).digest('hex');

let server: RegistryServer;
beforeAll(async () => {
  server = await RegistryServer.start();
});
afterAll(() => server.close());

describe('The Python index', () => {
  const FILES = {
    'deps/pip/Zope.Interface/Zope.Interface-5.0.tar.gz': 'five',
    'deps/pip/Zope.Interface/Zope.Interface-5.1.zip': 'five one',
    'deps/pip/zope_interface/zope_interface-6.0-py3-none-any.whl': 'six',
    'deps/pip/external/external-1.0+local.tar.gz': 'named external',
    'deps/pip/external-mine/mine-external-sha256-aa.tar.gz': 'by url',
    'deps/pip/external-wheel/wheel-1.0-py3-none-any.whl': 'a wheel by url',
    [`deps/pip/git.example/ns/repo/repo-external-gitcommit-${COMMIT}.tar.gz`]: 'from git',
    'deps/pip/index.html': '<a></a>',
    'deps/npm/left/left-1.0.0.tgz': 'not pip',
  };
  let id: number;
  beforeAll(async () => {
    id = await server.complete(FILES);
  });

  const page = (title: string, links: readonly string[]) => `<!DOCTYPE html>
<html>
  <head>
    <meta name="pypi:repository-version" content="1.0">
    <title>${title}</title>
  </head>
  <body>
    <h1>${title}</h1>
${links.map((link) => `    ${link}<br/>\n`).join('')}  </body>
</html>
`;

  test('lists the projects', async () => {
    const response = await server.get('pip-hosted', id, 'simple/');
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(await response.text()).toBe(
      page('Simple index', [
        '<a href="external/">external</a>',
        '<a href="zope-interface/">zope-interface</a>',
      ]),
    );
  });

  test('lists the files of a project with their digests', async () => {
    const link = (folder: string, fileName: string, content: string) =>
      `<a href="../../packages/${folder}/${encodeURIComponent(fileName)}#sha256=${sha256(content)}">${fileName}</a>`;
    const response = await server.get('pip-hosted', id, 'simple/zope-interface/');
    expect(await response.text()).toBe(
      page('Links for zope-interface', [
        link('Zope.Interface', 'Zope.Interface-5.0.tar.gz', 'five'),
        link('Zope.Interface', 'Zope.Interface-5.1.zip', 'five one'),
        link('zope_interface', 'zope_interface-6.0-py3-none-any.whl', 'six'),
      ]),
    );
    expect(await (await server.get('pip-hosted', id, 'simple/external/')).text()).toBe(
      page('Links for external', [link('external', 'external-1.0+local.tar.gz', 'named external')]),
    );
  });

  test.each([
    ['simple/Zope.Interface/', 'simple/zope-interface/'],
    ['simple/zope__interface', 'simple/zope-interface/'],
    ['simple/zope-interface', 'simple/zope-interface/'],
    ['simple', 'simple/'],
  ])('redirects %s', async (path, target) => {
    const response = await server.get('pip-hosted', id, path);
    expect(response.status).toBe(301);
    expect(response.headers.get('location')).toBe(`${server.base('pip-hosted', id)}${target}`);
  });

  test('serves the files of releases', async () => {
    const response = await server.get('pip-hosted', id, 'packages/external/external-1.0%2Blocal.tar.gz');
    expect(await response.text()).toBe('named external');
    for (const path of [
      'packages/external-mine/mine-external-sha256-aa.tar.gz',
      'packages/index.html',
      'packages/left/left-1.0.0.tgz',
      'simple/external-mine/',
      'simple/mine/',
    ]) {
      expect((await server.get('pip-hosted', id, path)).status, path).toBe(404);
    }
  });

  test.each([
    ['external-mine/mine-external-sha256-aa.tar.gz', 'by url'],
    ['deps/pip/external-mine/mine-external-sha256-aa.tar.gz', 'by url'],
    ['external-wheel/wheel-1.0-py3-none-any.whl', 'a wheel by url'],
    [`git.example/ns/repo/repo-external-gitcommit-${COMMIT}.tar.gz`, 'from git'],
  ])('has the other archives by their paths: %s', async (path, content) => {
    const response = await server.get('pip-raw', id, path);
    expect(response.headers.get('content-disposition')).toBe(
      `attachment; filename="${path.slice(path.lastIndexOf('/') + 1)}"`,
    );
    expect(await response.text()).toBe(content);
  });

  test('has nothing else among them', async () => {
    for (const path of ['index.html', 'external/external-1.0+local.tar.gz', 'left/left-1.0.0.tgz']) {
      expect((await server.get('pip-raw', id, path)).status, path).toBe(404);
    }
  });
});

describe('The RubyGems registry', () => {
  const RACK = makeGem('rack', '2.2.0', { dependencies: { rake: '>= 12.0', 'net-http': '~> 0.3' } });
  const RAKE = makeGem('rake', '13.0');
  const NEWER = makeGem('rake', '13.1.0');
  const FILES = {
    'deps/rubygems/rack/rack-2.2.0.gem': RACK.content,
    'deps/rubygems/rake/rake-13.0.gem': RAKE.content,
    'deps/rubygems/rake/rake-13.1.0.gem': NEWER.content,
    'deps/rubygems/broken/broken-1.0.gem': 'no tar',
    'deps/rubygems-cache/rake-13.0.gem': RAKE.content,
    'deps/rubygems/git.example/ns/repo/x/app/lib/a.gem': 'of a work tree',
  };
  const INFO = {
    broken: `---\n1.0 |checksum:${sha256('no tar')}\n`,
    rack: `---\n2.2.0 net-http:~> 0.3,rake:>= 12.0|checksum:${sha256(RACK.content)}\n`,
    rake: `---\n13.0 |checksum:${sha256(RAKE.content)}\n13.1.0 |checksum:${sha256(NEWER.content)}\n`,
  };
  const md5 = (text: string) => createHash('md5').update(text).digest('hex');
  let id: number;
  beforeAll(async () => {
    id = await server.complete(FILES);
  });
  const text = async (path: string) => await (await server.get('rubygems-hosted', id, path)).text();

  test.each(['broken', 'rack', 'rake'] as const)('tells the versions of %s', async (name) => {
    const response = await server.get('rubygems-hosted', id, `info/${name}`);
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    // Bundler compares the two.
    expect(response.headers.get('etag')).toBe(`"${md5(INFO[name])}"`);
    expect(await response.text()).toBe(INFO[name]);
  });

  test('lists all gems', async () => {
    expect(await text('names')).toBe('---\nbroken\nrack\nrake\n');
    expect(await text('versions')).toBe(
      `created_at: 2000-01-01T00:00:00Z
---
broken 1.0 ${md5(INFO.broken)}
rack 2.2.0 ${md5(INFO.rack)}
rake 13.0,13.1.0 ${md5(INFO.rake)}
`,
    );
  });

  test('gives the rest of a text that grew', async () => {
    const response = await server.get('rubygems-hosted', id, 'versions', {
      headers: { range: 'bytes=10-', 'if-none-match': '"something-else"' },
    });
    expect(response.status).toBe(206);
  });

  test('serves gems', async () => {
    const response = await server.get('rubygems-hosted', id, 'gems/rack-2.2.0.gem');
    expect(Buffer.from(await response.arrayBuffer())).toEqual(RACK.content);
    for (const path of ['gems/a.gem', 'gems/rack-2.3.0.gem', 'info/repo', 'info/rack/x', 'versions/x']) {
      expect((await server.get('rubygems-hosted', id, path)).status, path).toBe(404);
    }
  });
});

describe('The Go module proxy', () => {
  const CACHE = 'deps/gomod/pkg/mod/cache/download/example.org/!ada/mod/v2/@v';
  const FILES: Record<string, string> = {
    [`${CACHE}/list`]: 'v2.0.0\n',
    [`${CACHE}/v2.0.0.info`]: '{"Version":"v2.0.0"}',
    [`${CACHE}/v2.0.0.mod`]: 'module example.org/Ada/mod/v2\n',
    [`${CACHE}/v2.0.0.zip`]: 'zipped',
    [`${CACHE}/v2.0.0.ziphash`]: 'h1:hash',
  };
  let id: number;
  beforeAll(async () => {
    id = await server.complete(FILES);
  });

  test.each([
    ['list', 'text/plain; charset=utf-8'],
    ['v2.0.0.info', 'application/json'],
    ['v2.0.0.mod', 'text/plain; charset=utf-8'],
    ['v2.0.0.zip', 'application/zip'],
  ])('serves @v/%s', async (name, type) => {
    const response = await server.get('gomod', id, `example.org/!ada/mod/v2/@v/${name}`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe(type);
    expect(await response.text()).toBe(FILES[`${CACHE}/${name}`]);
  });

  test.each(['@latest', '@v/v2.0.0.ziphash', '@v/v2.1.0.info', '@v/'])('has no %s', async (path) => {
    expect((await server.get('gomod', id, `example.org/!ada/mod/v2/${path}`)).status).toBe(404);
  });

  test('is one that go itself can use', { timeout: 60_000 }, async () => {
    const directory = temporaryDirectory();
    const tls = selfSigned(directory);
    // go gives no password to servers without TLS.
    const secured = await RegistryServer.start(tls);
    try {
      const folder = 'deps/gomod/pkg/mod/cache/download/example.org/!ada/left/@v';
      const goMod = 'module example.org/Ada/left\n';
      const request = await secured.complete({
        [`${folder}/list`]: 'v1.0.0\n',
        [`${folder}/v1.0.0.info`]: '{"Version":"v1.0.0","Time":"2024-05-06T07:08:09Z"}',
        [`${folder}/v1.0.0.mod`]: goMod,
        [`${folder}/v1.0.0.zip`]: zipSync({
          'example.org/Ada/left@v1.0.0/go.mod': Buffer.from(goMod),
          'example.org/Ada/left@v1.0.0/left.go': Buffer.from('package left\n'),
        }),
      });
      const base = secured.base('gomod', request);
      const password = await secured.password(request);
      const { stdout } = await run('go', ['mod', 'download', '-json', 'example.org/Ada/left@v1.0.0'], {
        cwd: directory,
        env: {
          PATH: process.env.PATH,
          HOME: directory,
          GOPROXY: base.replace('://', `://cachito-gomod-${request}:${password}@`),
          GOSUMDB: 'off',
          GOTOOLCHAIN: 'local',
          GOFLAGS: '-modcacherw',
          SSL_CERT_FILE: tls.certificate,
          ...(await closedProxies()),
        },
      });
      expect(JSON.parse(stdout)).toMatchObject({ Path: 'example.org/Ada/left', Version: 'v1.0.0' });
    } finally {
      await secured.close();
    }
  });
});
