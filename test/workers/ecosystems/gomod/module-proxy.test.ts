import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ModuleFiles } from '../../../../src/workers/ecosystems/gomod/module-files.ts';
import { type ModuleProxy, startModuleProxy } from '../../../../src/workers/ecosystems/gomod/module-proxy.ts';
import { type GoProxy, startGoProxy } from '../../../support/go-proxy.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';
import { resolveContext } from '../../../support/resolve-context.ts';

const MODULE = { path: 'example.test/Upper', version: 'v1.2.0' };

let upstream: GoProxy;
let second: GoProxy;
let proxy: ModuleProxy;
beforeEach(async () => {
  upstream = await startGoProxy([MODULE]);
  second = await startGoProxy([MODULE, { path: 'example.test/other', version: 'v1.0.0' }]);
});
afterEach(async () => {
  await proxy.close();
  await upstream.close();
  await second.close();
});

/** `fallback`: the second proxy is asked after any error of the first, not only for unknown modules. */
async function start({ fallback = false, hidden = '' } = {}): Promise<ModuleFiles> {
  const { context, blobs } = resolveContext({ source: memorySourceTree({}) });
  const proxies = [
    { url: upstream.url, headers: { authorization: 'Basic abc' }, nextOnAnyError: fallback },
    { url: second.url, headers: {}, nextOnAnyError: false },
  ];
  const files = new ModuleFiles(context, proxies, hidden);
  proxy = await startModuleProxy(files, blobs);
  return files;
}

const get = (path: string) => fetch(`${proxy.url}/${path}`);

describe('the proxy that go reads', () => {
  test('files come from upstream once, with its credentials', async () => {
    await start();
    const path = 'example.test/!upper/@v/v1.2.0.zip';
    const bodies = await Promise.all([get(path), get(path)].map(async (one) => (await one).arrayBuffer()));
    for (const body of bodies) expect(Buffer.from(body).equals(upstream.modules[0]!.zip)).toBe(true);
    expect([...upstream.hits]).toEqual([[path, 1]]);
    expect(upstream.authorizations).toEqual(['Basic abc']);
    expect(second.hits.size).toBe(0);
  });

  test('an unknown module is asked from the next one', async () => {
    await start();
    expect((await get('example.test/other/@v/v1.0.0.mod')).status).toBe(200);
    expect((await get('example.test/gone/@v/v1.0.0.mod')).status).toBe(404);
    expect(second.authorizations).toEqual([undefined, undefined]);
    expect(proxy.failure).toBe(null);
  });

  test.each([
    [false, 500],
    [true, 200],
  ])('after a failure of the first, with fallback %s', async (fallback, status) => {
    upstream.fail('example.test/!upper/@v/v1.2.0.mod', { status: 503 });
    await start({ fallback });
    expect((await get('example.test/!upper/@v/v1.2.0.mod')).status).toBe(status);
    expect(proxy.failure === null).toBe(fallback);
  });

  test('lists and queries are asked each time', async () => {
    await start();
    for (const _ of [1, 2]) expect(await (await get('example.test/!upper/@v/list')).text()).toBe('v1.2.0\n');
    expect(upstream.hits.get('example.test/!upper/@v/list')).toBe(2);
    expect((await get('example.test/!upper/@latest')).status).toBe(404);
    expect((await get('sumdb/sum.example/supported')).status).toBe(404);
  });

  test('names that no proxy may hear of', async () => {
    const files = await start({ hidden: 'example.test/Upper' });
    await expect(files.raw('mod', MODULE)).rejects.toThrow('No module proxy knows');
    expect(upstream.hits.size + second.hits.size).toBe(0);
  });

  test.each([
    '',
    'x',
    '../../etc/passwd',
    'example.test/%2e%2e/%2e%2e/@v/v1.0.0.mod',
    'example.test/Upper/@v/v1.2.0.mod',
    'example.test/a/@v/..%2fv1.0.0.mod',
    'example.test/a%00/@v/v1.0.0.mod',
    'example.test/%zz/@v/v1.0.0.mod',
    'example.test//@v/list',
  ])('refuses %j', async (path) => {
    await start();
    expect((await get(path)).status).toBe(404);
    expect(upstream.hits.size).toBe(0);
  });

  test('only for who knows its secret, and only to read', async () => {
    await start();
    const { origin } = new URL(proxy.url);
    expect((await fetch(`${origin}/example.test/!upper/@v/v1.2.0.mod`)).status).toBe(404);
    const posted = await fetch(`${proxy.url}/example.test/!upper/@v/v1.2.0.mod`, { method: 'POST' });
    expect(posted.status).toBe(404);
    expect(upstream.hits.size).toBe(0);
  });
});
