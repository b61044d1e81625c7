import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Flag } from '../../../../src/domain/packages/package.ts';
import type { Resolution } from '../../../../src/workers/ecosystems/ecosystem.ts';
import { gomod } from '../../../../src/workers/ecosystems/gomod/index.ts';
import { type GoProxy, manyModules, projectOf, startGoProxy } from '../../../support/go-proxy.ts';
import { consumerEnvironment, layOutBundle } from '../../../support/laid-out-bundle.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';
import { withoutNetwork } from '../../../support/network.ts';
import {
  resolveContext,
  type TestResolveContext,
  temporaryDirectory,
} from '../../../support/resolve-context.ts';

const run = promisify(execFile);

let proxy: GoProxy;
let nested: GoProxy;
beforeAll(async () => {
  proxy = await startGoProxy(manyModules(7));
  nested = await startGoProxy([
    { path: 'example.test/Big', version: 'v2.3.4+incompatible' },
    { path: 'example.test/Big/nested/v3', version: 'v3.0.0-20200101000000-abcdefabcdef' },
  ]);
});
afterAll(async () => {
  await proxy.close();
  await nested.close();
});

/** Builds and runs the program without any network. */
async function buildAndRun(
  prepared: TestResolveContext,
  resolution: Resolution,
  { directory = '.', ownBuildCache = false } = {},
): Promise<string> {
  const root = await layOutBundle(prepared, resolution);
  const environment: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    HOME: root,
    GOFLAGS: '-modcacherw',
    ...consumerEnvironment(root, resolution),
  };
  // Compiling the standard library takes seconds: one test is enough to see that the variable works.
  if (!ownBuildCache) environment.GOCACHE = inject('goBuildCache');
  const options = { cwd: join(root, 'app', directory), env: environment };
  const go = async (...args: string[]) => {
    const [program, rest] = withoutNetwork('go', ...args);
    return (await run(program, rest, options)).stdout;
  };
  await go('build', '-o', join(root, 'program'), '.');
  if (resolution.files.length > 0) {
    expect(await go('mod', 'verify')).toBe('all modules verified\n');
    await go('mod', 'download');
  }
  const { stderr } = await run(join(root, 'program'));
  return stderr;
}

function prepare(files: Record<string, string>, upstream: GoProxy, flags: Flag[] = [], path = '.') {
  return resolveContext({
    source: memorySourceTree(files),
    packages: [{ path }],
    settings: { dataDir: temporaryDirectory(), goproxy: upstream.url, gosumdb: 'off' },
    request: { flags: new Set(flags) },
  });
}

describe('go build without network', () => {
  test('of a program on a graph of modules', async () => {
    const prepared = prepare(projectOf(proxy.modules), proxy);
    const resolution = await gomod.resolve(prepared.context);
    expect(await buildAndRun(prepared, resolution, { ownBuildCache: true })).toBe('m0 m1 m3 m4 m2 m5 m6\n');
  });

  test('of an old go.mod that names direct requirements only', async () => {
    const files = projectOf(proxy.modules);
    files['go.mod'] = 'module example.test/project\n\ngo 1.15\n\nrequire example.test/m0 v1.0.0\n';
    const prepared = prepare(files, proxy);
    const resolution = await gomod.resolve(prepared.context);
    expect(await buildAndRun(prepared, resolution)).toBe('m0 m1 m3 m4 m2 m5 m6\n');
  });

  test.each([
    ['no', () => ''],
    ['half a', (sums: string) => sums.split('\n').slice(0, 6).join('\n')],
  ])('with %s go.sum in the source', async (_, change) => {
    const files = projectOf(proxy.modules);
    files['go.sum'] = change(files['go.sum']!);
    const prepared = prepare(files, proxy);
    const resolution = await gomod.resolve(prepared.context);
    expect(await buildAndRun(prepared, resolution)).toBe('m0 m1 m3 m4 m2 m5 m6\n');
  });

  test('with upper-case paths, incompatible and pseudo-versions', async () => {
    const files = projectOf(nested.modules);
    files['main.go'] =
      'package main\n\nimport (\n\tbig "example.test/Big"\n\tnested "example.test/Big/nested/v3"\n)\n\nfunc main() { println(big.Name(), nested.Name()) }\n';
    const prepared = prepare(files, nested);
    const resolution = await gomod.resolve(prepared.context);
    expect(resolution.files.map(({ path }) => path)).toContain(
      'deps/gomod/pkg/mod/cache/download/example.test/!big/@v/v2.3.4+incompatible.zip',
    );
    expect(await buildAndRun(prepared, resolution)).toBe('big nested\n');
  });

  test('of a workspace, below its root', async () => {
    const main = Object.fromEntries(
      Object.entries(projectOf(proxy.modules)).map(([path, text]) => [`cmd/tool/${path}`, text]),
    );
    const files = {
      ...main,
      'go.work': 'go 1.20\n\nuse (\n\t./cmd/tool\n\t./lib\n)\n',
      'lib/go.mod': 'module example.test/lib\n\ngo 1.20\n',
      'lib/lib.go': 'package lib\n\nfunc Name() string { return "lib" }\n',
      'cmd/tool/main.go':
        'package main\n\nimport (\n\t"example.test/lib"\n\t"example.test/m0"\n)\n\nfunc main() { println(lib.Name(), m0.Name()) }\n',
    };
    const prepared = prepare(files, proxy, [], 'cmd/tool');
    const resolution = await gomod.resolve(prepared.context);
    expect(await buildAndRun(prepared, resolution, { directory: 'cmd/tool' })).toBe(
      'lib m0 m1 m3 m4 m2 m5 m6\n',
    );
  });

  test('with vendored modules', async () => {
    const prepared = prepare(projectOf(proxy.modules), proxy, ['gomod-vendor']);
    const resolution = await gomod.resolve(prepared.context);
    expect(resolution.files).toEqual([]);
    expect(await buildAndRun(prepared, resolution)).toBe('m0 m1 m3 m4 m2 m5 m6\n');
  });

  test('after go mod tidy, which completes go.sum', async () => {
    const { 'go.sum': _, ...files } = projectOf(proxy.modules);
    const prepared = prepare(files, proxy, ['force-gomod-tidy']);
    const resolution = await gomod.resolve(prepared.context);
    expect(resolution.sourceChanges.map(({ path }) => path)).toContain('go.sum');
    expect(await buildAndRun(prepared, resolution)).toBe('m0 m1 m3 m4 m2 m5 m6\n');
  });
});
