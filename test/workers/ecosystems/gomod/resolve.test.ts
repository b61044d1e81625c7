import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Settings } from '../../../../src/domain/config.ts';
import type { DependencyReplacement, Flag } from '../../../../src/domain/packages/package.ts';
import { gomod } from '../../../../src/workers/ecosystems/gomod/index.ts';
import { escaped, type GoProxy, type ProxyModule, startGoProxy } from '../../../support/go-proxy.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';
import {
  type ResolveContextOptions,
  resolveContext,
  temporaryDirectory,
} from '../../../support/resolve-context.ts';

const REPOSITORY = 'https://git.example/team/project.git';
const COMMIT = 'c'.repeat(40);
const VERSION = 'v0.0.0-20200913122640-cccccccccccc';

const MODULES: ProxyModule[] = [
  { path: 'example.test/Upper', version: 'v1.2.0', require: ['example.test/low@v0.1.0'] },
  { path: 'example.test/low', version: 'v0.1.0' },
  { path: 'example.test/low', version: 'v0.2.0' },
  { path: 'example.test/fork', version: 'v0.9.0' },
];

let proxy: GoProxy;
beforeEach(async () => {
  proxy = await startGoProxy(MODULES);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await proxy.close();
});

interface Options extends Omit<Partial<ResolveContextOptions>, 'source' | 'settings'> {
  settings?: Partial<Settings>;
  flags?: Flag[];
  replacements?: DependencyReplacement[];
}

function prepare(
  files: Parameters<typeof memorySourceTree>[0],
  { flags = [], replacements = [], settings, request, ...options }: Options = {},
) {
  return resolveContext({
    source: memorySourceTree(files),
    settings: { dataDir: temporaryDirectory(), goproxy: proxy.url, gosumdb: 'off', ...settings },
    request: { flags: new Set(flags), dependencyReplacements: replacements, ...request },
    ...options,
  });
}

/** A project on example.test/Upper, with two packages. */
const project = (): Record<string, string> => ({
  'go.mod':
    'module example.test/project\n\ngo 1.20\n\nrequire example.test/Upper v1.2.0\n\nrequire example.test/low v0.1.0 // indirect\n',
  'go.sum': proxy.sums(['example.test/Upper@v1.2.0', 'example.test/low@v0.1.0']),
  'main.go':
    'package main\n\nimport (\n\t"fmt"\n\n\t"example.test/project/greet"\n)\n\nfunc main() { fmt.Println(greet.Text()) }\n',
  'greet/greet.go':
    'package greet\n\nimport upper "example.test/Upper"\n\nfunc Text() string { return upper.Name() }\n',
  'alone/alone.go': 'package alone\n',
});

const dependency = (type: 'gomod' | 'go-package', name: string, version: string) => ({
  type,
  name,
  version,
  replaces: null,
});

describe('a module', () => {
  test('is reported with its packages; no standard library, and no package that another one imports', async () => {
    const { context } = prepare(project());
    const { packages } = await gomod.resolve(context);
    expect(packages).toEqual([
      {
        type: 'gomod',
        name: 'example.test/project',
        version: VERSION,
        path: '.',
        dependencies: [
          dependency('gomod', 'example.test/Upper', 'v1.2.0'),
          dependency('gomod', 'example.test/low', 'v0.1.0'),
        ],
      },
      {
        type: 'go-package',
        name: 'example.test/project',
        version: VERSION,
        path: '.',
        dependencies: [
          dependency('go-package', 'example.test/Upper', 'v1.2.0'),
          dependency('go-package', 'example.test/low', 'v0.1.0'),
          dependency('go-package', 'example.test/project/greet', VERSION),
        ],
      },
      {
        type: 'go-package',
        name: 'example.test/project/alone',
        version: VERSION,
        path: 'alone',
        dependencies: [],
      },
    ]);
  });

  test('does not report a package that only a dependency imports', async () => {
    proxy.publish({
      path: 'example.test/plugin',
      version: 'v1.0.0',
      files: { 'plugin.go': 'package plugin\n\nimport _ "example.test/project/api"\n' },
    });
    const { context } = prepare({
      'go.mod': 'module example.test/project\n\ngo 1.20\n\nrequire example.test/plugin v1.0.0\n',
      'go.sum': proxy.sums(['example.test/plugin@v1.0.0']),
      'main.go': 'package main\n\nimport _ "example.test/plugin"\n\nfunc main() {}\n',
      'api/api.go': 'package api\n',
    });
    const { packages } = await gomod.resolve(context);
    expect(packages.map(({ type, name }) => [type, name])).toEqual([
      ['gomod', 'example.test/project'],
      ['go-package', 'example.test/project'],
    ]);
    expect(packages[1]!.dependencies).toEqual([
      dependency('go-package', 'example.test/plugin', 'v1.0.0'),
      dependency('go-package', 'example.test/project/api', VERSION),
    ]);
  });

  test('brings the files of the download cache, and nothing of the source changes', async () => {
    const { context, blobs } = prepare(project());
    const resolution = await gomod.resolve(context);
    const base = 'deps/gomod/pkg/mod/cache/download/example.test';
    expect(resolution.files.map(({ path }) => path)).toEqual([
      `${base}/!upper/@v/list`,
      `${base}/!upper/@v/v1.2.0.info`,
      `${base}/!upper/@v/v1.2.0.mod`,
      `${base}/!upper/@v/v1.2.0.zip`,
      `${base}/!upper/@v/v1.2.0.ziphash`,
      `${base}/low/@v/list`,
      `${base}/low/@v/v0.1.0.info`,
      `${base}/low/@v/v0.1.0.mod`,
      `${base}/low/@v/v0.1.0.zip`,
      `${base}/low/@v/v0.1.0.ziphash`,
    ]);
    const content = (path: string) =>
      blobs.blobs.get(resolution.files.find((file) => file.path === `${base}/${path}`)!.digest)!.toString();
    expect(content('!upper/@v/list')).toBe('v1.2.0\n');
    expect(content('!upper/@v/v1.2.0.info')).toBe('{"Version":"v1.2.0","Time":"2020-02-02T02:02:02Z"}');
    expect(content('!upper/@v/v1.2.0.ziphash')).toBe(
      proxy.find('example.test/Upper').zipSum.trim().split(' ')[2],
    );
    expect(content('low/@v/v0.1.0.mod')).toBe(proxy.find('example.test/low', 'v0.1.0').mod.toString());
    expect(resolution.sourceChanges).toEqual([]);
    expect(resolution.directories).toEqual(['deps/gomod/pkg/mod/cache/download']);
    expect(resolution.offline).toEqual({
      environment: [
        { name: 'GOCACHE', value: 'deps/gomod', kind: 'path' },
        { name: 'GOPATH', value: 'deps/gomod', kind: 'path' },
        { name: 'GOMODCACHE', value: 'deps/gomod/pkg/mod', kind: 'path' },
        { name: 'GOSUMDB', value: 'off', kind: 'literal' },
        { name: 'GOPROXY', value: 'off', kind: 'literal' },
        { name: 'GOTOOLCHAIN', value: 'local', kind: 'literal' },
      ],
      configurationFiles: [],
    });
    expect(resolution.tools).toEqual({ go: expect.stringMatching(/^1\.\d+/) });
  });

  test('asks upstream once for each file, and nobody for a repeated request', async () => {
    const first = prepare(project());
    const before = await gomod.resolve(first.context);
    expect([...proxy.hits].sort()).toEqual([
      ['example.test/!upper/@v/v1.2.0.info', 1],
      ['example.test/!upper/@v/v1.2.0.mod', 1],
      ['example.test/!upper/@v/v1.2.0.zip', 1],
      ['example.test/low/@v/v0.1.0.info', 1],
      ['example.test/low/@v/v0.1.0.mod', 1],
      ['example.test/low/@v/v0.1.0.zip', 1],
    ]);
    proxy.hits.clear();
    // Another data directory: everything comes from the store.
    const again = prepare(project(), { artifacts: first.artifacts, blobs: first.blobs });
    expect(await gomod.resolve(again.context)).toEqual(before);
    expect([...proxy.hits]).toEqual([]);
  });

  test('gives the same with a module cache that other requests have filled', async () => {
    const dataDir = temporaryDirectory();
    const alone = await gomod.resolve(prepare(project()).context);
    const other: Record<string, string> = { ...project(), 'go.sum': proxy.sums() };
    other['go.mod'] = other['go.mod']!.replace('low v0.1.0', 'low v0.2.0');
    await gomod.resolve(prepare(other, { settings: { dataDir } }).context);
    expect(await gomod.resolve(prepare(project(), { settings: { dataDir } }).context)).toEqual(alone);
  });

  test('has SBOM rows with hashes, places and a graph', async () => {
    const { context } = prepare(project());
    const { components } = await gomod.resolve(context);
    const vcs =
      'vcs_url=git%2Bhttps://git.example/team/project.git%40cccccccccccccccccccccccccccccccccccccccc';
    const row = (purl: string) => components.find((one) => one.purl === purl)!;
    const main = components.find(
      ({ name, purl }) => name === 'example.test/project' && purl.includes('type=module'),
    )!;
    expect(decodeURIComponent(main.purl)).toBe(
      decodeURIComponent(`pkg:golang/example.test/project@${VERSION}?type=module&${vcs}`),
    );
    expect(main).toMatchObject({ isSourcePackage: true, version: VERSION, hashes: {} });
    expect(main.dependsOn).toEqual(['pkg:golang/example.test/Upper@v1.2.0?type=module']);
    expect(row('pkg:golang/example.test/Upper@v1.2.0?type=module')).toMatchObject({
      hashes: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      distributionUrl: `${proxy.url}/example.test/!upper/@v/v1.2.0.zip`,
      bundlePaths: ['deps/gomod/pkg/mod/cache/download/example.test/!upper/@v/v1.2.0.zip'],
      properties: {},
      dependsOn: ['pkg:golang/example.test/low@v0.1.0?type=module'],
    });
    expect(row('pkg:golang/fmt?type=package')).toMatchObject({ name: 'fmt', version: null });
    const ids = new Set(components.map(({ ref }) => ref));
    expect(ids.size).toBe(components.length);
    expect(components.flatMap(({ dependsOn }) => dependsOn!).filter((ref) => !ids.has(ref))).toEqual([]);
  });

  test('in a directory below, with a version from its own tags', async () => {
    const files = Object.fromEntries(
      Object.entries(project()).map(([path, text]) => [`services/api/${path}`, text]),
    );
    const { context } = prepare(files, {
      packages: [{ path: 'services/api' }],
      tags: {
        [`${REPOSITORY}#${COMMIT}`]: [
          { name: 'v1.9.0', commit: COMMIT },
          { name: 'services/api/v1.3.0', commit: COMMIT },
        ],
      },
    });
    const { packages } = await gomod.resolve(context);
    expect(packages.map(({ name, version, path }) => [name, version, path])).toEqual([
      ['example.test/project', 'v1.3.0', 'services/api'],
      ['example.test/project', 'v1.3.0', 'services/api'],
      ['example.test/project/alone', 'v1.3.0', 'services/api/alone'],
    ]);
  });
});

/** A `file:` proxy, which only the go command itself reads. */
function publishedDirectory(): string {
  const directory = temporaryDirectory();
  for (const { path, version, info, mod, zip } of proxy.modules) {
    const folder = join(directory, escaped(path), '@v');
    mkdirSync(folder, { recursive: true });
    for (const [kind, content] of Object.entries({ info, mod, zip })) {
      writeFileSync(join(folder, `${version}.${kind}`), content);
    }
  }
  return directory;
}

describe('modules that the go command fetches itself', () => {
  test('are in the bundle as well, with the same bytes', async () => {
    const directory = publishedDirectory();
    const expected = await gomod.resolve(prepare(project()).context);
    proxy.hits.clear();
    const { context } = prepare(project(), { settings: { goproxy: `file://${directory}` } });
    const resolution = await gomod.resolve(context);
    expect(resolution.files).toEqual(expected.files);
    expect(resolution.packages).toEqual(expected.packages);
    expect(proxy.hits.size).toBe(0);
  });

  test.each([
    ['zip', ' h1:', 'example.test/low@v0.1.0.zip'],
    ['mod', '/go.mod h1:', 'example.test/low@v0.1.0.mod'],
  ])('a wrong hash of a %s file is told like any other', async (kind, before, file) => {
    const directory = publishedDirectory();
    const files = project();
    const actual = proxy
      .find('example.test/low', 'v0.1.0')
      [kind === 'zip' ? 'zipSum' : 'modSum'].trim()
      .split(' ')[2]!;
    const expected = `h1:${'A'.repeat(43)}=`;
    files['go.sum'] = files['go.sum']!.replace(
      `low v0.1.0${before}${actual.slice(3)}`,
      `low v0.1.0${before}${expected.slice(3)}`,
    );
    const { context } = prepare(files, { settings: { goproxy: `file://${directory}` } });
    await expect(gomod.resolve(context)).rejects.toMatchObject({
      name: 'InvalidChecksum',
      message: `The file ${file} has an unexpected checksum value, expected ${expected} but computed ${actual}`,
    });
  });
});

describe('requests at the same time', () => {
  test('share one module cache without any harm', async () => {
    const settings = { dataDir: temporaryDirectory() };
    const outcomes = await Promise.all(
      [1, 2, 3].map(() => gomod.resolve(prepare(project(), { settings }).context)),
    );
    expect(outcomes[1]).toEqual(outcomes[0]);
    expect(outcomes[2]).toEqual(outcomes[0]);
  });
});

describe('cgo', () => {
  test.each([
    [[], ['example.test/low']],
    [['cgo-disable'], []],
  ] as const)('with the flags %j', async (flags, expected) => {
    const files = project();
    files['alone/alone.go'] = 'package alone\n';
    files['alone/c.go'] = 'package alone\n\nimport "C"\nimport _ "example.test/low"\n';
    const { context } = prepare(files, { flags: [...flags] });
    const { packages } = await gomod.resolve(context);
    expect(packages[2]!.dependencies.map(({ name }) => name)).toEqual(expected);
  });
});

describe('go.sum', () => {
  test('a wrong hash of an archive names file, expected and actual hash', async () => {
    const files = project();
    const h1 = proxy.find('example.test/low', 'v0.1.0').zipSum.trim().split(' ')[2]!;
    const wrong = `h1:${Buffer.alloc(32).toString('base64')}`;
    files['go.sum'] = files['go.sum']!.replace(h1, wrong);
    await expect(gomod.resolve(prepare(files).context)).rejects.toMatchObject({
      code: 'checksum-mismatch',
      message: `The file example.test/low@v0.1.0.zip has an unexpected checksum value, expected ${wrong} but computed ${h1}`,
    });
  });

  test('a wrong hash of a go.mod', async () => {
    const files = project();
    const h1 = proxy.find('example.test/Upper').modSum.trim().split(' ')[2]!;
    const wrong = `h1:${Buffer.alloc(32, 1).toString('base64')}`;
    files['go.sum'] = files['go.sum']!.replace(h1, wrong);
    await expect(gomod.resolve(prepare(files).context)).rejects.toMatchObject({
      code: 'checksum-mismatch',
      message: `The file example.test/Upper@v1.2.0.mod has an unexpected checksum value, expected ${wrong} but computed ${h1}`,
    });
  });

  test('a changed archive', async () => {
    proxy.fail('example.test/low/@v/v0.1.0.zip', { body: proxy.find('example.test/low', 'v0.2.0').zip });
    await expect(gomod.resolve(prepare(project()).context)).rejects.toMatchObject({
      code: 'checksum-mismatch',
    });
  });

  test.each([
    ['zip', 'checksum-mismatch'],
    ['mod', 'checksum-mismatch'],
    ['info', 'fetch-failed'],
  ] as const)('a wrong %s file does no harm to later requests', async (kind, code) => {
    const body = {
      zip: proxy.find('example.test/low', 'v0.2.0').zip,
      mod: Buffer.from('module example.test/low\n\ngo 1.19\n'),
      info: Buffer.from('<html>Please log in</html>'),
    }[kind];
    proxy.fail(`example.test/low/@v/v0.1.0.${kind}`, { times: 1, body });
    const settings = { dataDir: temporaryDirectory() };
    const first = prepare(project(), { settings });
    await expect(gomod.resolve(first.context)).rejects.toMatchObject({ code });
    const { artifacts, blobs } = first;
    const again = await gomod.resolve(prepare(project(), { settings, artifacts, blobs }).context);
    const elsewhere = await gomod.resolve(prepare(project()).context);
    expect(again.files).toEqual(elsewhere.files);
  });

  test('a toolchain in go.sum is no dependency', async () => {
    const files = project();
    files['go.mod'] = files['go.mod']!.replace('go 1.20', 'go 1.16');
    files['go.sum'] += `golang.org/toolchain v0.0.1-go1.21.0.linux-amd64 h1:${'A'.repeat(43)}=\n`;
    const { components } = await gomod.resolve(prepare(files).context);
    expect(components.some(({ name }) => name === 'golang.org/toolchain')).toBe(false);
    expect(proxy.hits.has('golang.org/toolchain/@v/v0.0.1-go1.21.0.linux-amd64.zip')).toBe(false);
  });

  test('an archive that is none', async () => {
    proxy.fail('example.test/low/@v/v0.1.0.zip', { body: Buffer.from('not a zip file') });
    await expect(gomod.resolve(prepare(project()).context)).rejects.toMatchObject({
      code: 'package-rejected',
      message: 'The file example.test/low@v0.1.0.zip is not a valid module archive',
    });
  });

  test('missing lines are added, and modules without a hash flagged', async () => {
    const files = project();
    files['go.sum'] = proxy.find('example.test/Upper').zipSum;
    const { context, blobs, lines } = prepare(files);
    const { sourceChanges, components, packages } = await gomod.resolve(context);
    expect(sourceChanges).toEqual([
      { kind: 'write', path: 'go.sum', file: expect.objectContaining({ path: 'app/go.sum', mode: 0o644 }) },
    ]);
    const [change] = sourceChanges as { file: { digest: `sha256:${string}` } }[];
    const written = blobs.blobs.get(change!.file.digest)!.toString();
    const upper = proxy.find('example.test/Upper');
    const low = proxy.find('example.test/low', 'v0.1.0');
    expect(written).toBe(upper.zipSum + upper.modSum + low.modSum + low.zipSum);
    const properties = (purl: string) => components.find((one) => one.purl === purl)!.properties;
    expect(properties('pkg:golang/example.test/low@v0.1.0?type=module')).toEqual({
      'stowage:missing_hash:in_file': 'go.sum',
    });
    expect(properties('pkg:golang/example.test/Upper@v1.2.0?type=module')).toEqual({});
    expect(lines.filter((line) => line.startsWith('warn'))).toEqual([
      'warn: gomod: 1 modules have no checksum in go.sum, the first is example.test/low@v0.1.0. Run `go mod tidy` and commit go.sum.',
    ]);
    expect(packages[1]!.dependencies).toContainEqual(dependency('go-package', 'example.test/low', 'v0.1.0'));
  });

  test('strict integrity refuses modules without a hash', async () => {
    const { 'go.sum': _, ...files } = project();
    await expect(
      gomod.resolve(prepare(files, { request: { strictIntegrity: true } }).context),
    ).rejects.toMatchObject({
      code: 'missing-checksum',
      message: expect.stringMatching(/^The module example\.test\/\w+@v\S+ has no checksum in go\.sum$/),
    });
  });

  test('a stale line for what nobody has does no harm', async () => {
    const files = project();
    files['go.sum'] += `example.test/gone v0.1.0/go.mod h1:${Buffer.alloc(32).toString('base64')}\n`;
    const { context, lines } = prepare(files);
    const { files: shipped } = await gomod.resolve(context);
    expect(shipped).toHaveLength(10);
    expect(lines).toContain(
      'warn: gomod: go.sum names example.test/gone@v0.1.0, which cannot be found; go does not need it',
    );
  });

  test.each(['a b c d\n', 'a\n'])('a malformed line: %j', async (line) => {
    const files = { ...project(), 'go.sum': line };
    await expect(gomod.resolve(prepare(files).context)).rejects.toMatchObject({
      code: 'invalid-lockfile',
      message: 'go.sum:1: wrong number of fields',
    });
  });

  test.each(['../../etc', '/etc/x', 'a/../../b', 'a b', '..'])('a path that is none: %s', async (path) => {
    const files = project();
    files['go.sum'] += `${path} v1.0.0 h1:${Buffer.alloc(32).toString('base64')}\n`.replace(' b', '\tb');
    files['go.mod'] += `require ${path.replace(' ', '')} v1.0.0\n`;
    await expect(gomod.resolve(prepare(files).context)).rejects.toMatchObject({
      code: expect.stringMatching(/^(invalid-lockfile|package-manager-failed)$/),
    });
  });
});

describe('what is missing', () => {
  test('an unknown module is a failure of go', async () => {
    const files = project();
    files['go.mod'] += 'require example.test/gone v1.0.0\n';
    const { context, lines } = prepare(files);
    await expect(gomod.resolve(context)).rejects.toMatchObject({
      code: 'package-manager-failed',
      message: 'Go execution failed: Cachito re-tried running `go mod download -json` command 5 times.',
      hint: expect.stringContaining('example.test/gone@v1.0.0'),
    });
    expect(lines.some((line) => line.startsWith('warn: go: ') && line.includes('example.test/gone'))).toBe(
      true,
    );
  });

  test('an archive that nobody has', async () => {
    proxy.fail('example.test/low/@v/v0.1.0.zip', { status: 404 });
    const { context } = prepare(project());
    await expect(gomod.resolve(context)).rejects.toMatchObject({
      code: 'package-manager-failed',
      hint: expect.stringMatching(/^example\.test\/low@v0\.1\.0: .*404 Not Found/),
    });
  });

  test.each([
    ['native', 'NetworkError', expect.stringContaining('status 503')],
    [
      'cachito',
      'GoModError',
      'Go execution failed: Cachito re-tried running `go mod download -json` command 5 times.',
    ],
  ] as const)('a proxy that fails, by the rules of %s', async (rules, name, message) => {
    proxy.fail('example.test/low/@v/v0.1.0.zip', { status: 503 });
    await expect(gomod.resolve(prepare(project(), { request: { rules } }).context)).rejects.toMatchObject({
      name,
      message,
    });
  });

  test('a package without a module is a warning', async () => {
    const files = project();
    files['alone/alone.go'] = 'package alone\n\nimport _ "example.test/nowhere"\n';
    const { context, lines } = prepare(files);
    const { packages } = await gomod.resolve(context);
    expect(packages.map(({ name }) => name)).toContain('example.test/project/alone');
    expect(lines.some((line) => line.startsWith('warn: ') && line.includes('example.test/nowhere'))).toBe(
      true,
    );
  });

  test('go.mod', async () => {
    const one = prepare({ 'README.md': '' });
    await expect(gomod.resolve(one.context)).rejects.toMatchObject({
      code: 'lockfile-not-found',
      message: 'The go.mod file must be present for the gomod package manager',
    });
    const two = prepare(
      { 'c/go.mod': 'module c\n' },
      { packages: [{ path: 'a' }, { path: 'b' }, { path: 'c' }] },
    );
    await expect(gomod.resolve(two.context)).rejects.toMatchObject({
      message: 'The a/go.mod; b/go.mod files must be present for the gomod package manager',
    });
    const contract = prepare({ 'README.md': '' }, { request: { rules: 'cachito' } });
    expect(await gomod.resolve(contract.context)).toMatchObject({
      packages: [],
      files: [],
      offline: { environment: [] },
    });
  });

  test.each([
    ['another module', { 'sub/go.mod': 'module example.test/sub\n\ngo 1.999.0\n' }],
    [
      'the workspace',
      { 'sub/go.mod': 'module example.test/sub\n\ngo 1.20\n', 'go.work': 'go 1.999.0\n\nuse .\nuse ./sub\n' },
    ],
  ])('a go new enough for %s', async (_, files) => {
    vi.stubEnv('GOTOOLCHAIN', 'auto');
    const { context } = prepare({ ...project(), ...files }, { packages: [{ path: '.' }, { path: 'sub' }] });
    await expect(gomod.resolve(context)).rejects.toMatchObject({
      code: 'package-manager-failed',
      message: "Required/recommended Go toolchain version '1.999.0' is not supported yet.",
    });
  });

  test('a go new enough', async () => {
    const files = { ...project(), 'go.mod': 'module example.test/project\n\ngo 1.999.0\n' };
    await expect(
      gomod.resolve(prepare(files, { settings: { goToolchainDownloads: false } }).context),
    ).rejects.toMatchObject({
      code: 'package-manager-failed',
      message: "Required/recommended Go toolchain version '1.999.0' is not supported yet.",
      hint: expect.stringContaining('is installed on the worker'),
    });
    // Where go may fetch another one, there may be none.
    vi.stubEnv('GOTOOLCHAIN', 'auto');
    await expect(gomod.resolve(prepare(files).context)).rejects.toMatchObject({
      code: 'package-manager-failed',
      message: "Required/recommended Go toolchain version '1.999.0' is not supported yet.",
      hint: expect.stringContaining('go1.999.0'),
    });
    expect([...proxy.hits.keys()].filter((path) => path.startsWith('golang.org/toolchain/'))).toHaveLength(1);
  });
});

describe('replace', () => {
  const withReplace = (line: string, more: Record<string, string> = {}): Record<string, string> => {
    const files = project();
    return { ...files, ...more, 'go.mod': `${files['go.mod']}\n${line}\n` };
  };
  const local = {
    'libs/low/go.mod': 'module example.test/low\n\ngo 1.20\n',
    'libs/low/low.go': 'package low\n\nfunc Name() string { return "local" }\n',
    'libs/low/deep/deep.go': 'package deep\n',
  };

  test('by a directory of the source', async () => {
    const files = withReplace('replace example.test/low => ./libs/low', local);
    files['alone/alone.go'] = 'package alone\n\nimport _ "example.test/low/deep"\n';
    const { packages, files: shipped } = await gomod.resolve(prepare(files).context);
    expect(packages[0]!.dependencies).toEqual([
      dependency('gomod', 'example.test/Upper', 'v1.2.0'),
      dependency('gomod', 'example.test/low', './libs/low'),
    ]);
    expect(packages[1]!.dependencies).toContainEqual(
      dependency('go-package', 'example.test/low', './libs/low'),
    );
    expect(packages[2]!.dependencies).toEqual([
      dependency('go-package', 'example.test/low/deep', './libs/low/deep'),
    ]);
    expect(shipped.some(({ path }) => path.endsWith('low/@v/v0.1.0.zip'))).toBe(false);
  });

  test('by another module', async () => {
    proxy.publish({
      path: 'example.test/lower',
      version: 'v0.5.0',
      files: { 'low.go': 'package low\n\nfunc Name() string { return "lower" }\n' },
    });
    const files = withReplace('replace example.test/low v0.1.0 => example.test/lower v0.5.0');
    files['go.sum'] = proxy.sums(['example.test/Upper', 'example.test/lower']);
    const { packages } = await gomod.resolve(prepare(files).context);
    expect(packages[0]!.dependencies).toEqual([
      dependency('gomod', 'example.test/Upper', 'v1.2.0'),
      dependency('gomod', 'example.test/lower', 'v0.5.0'),
    ]);
    expect(packages[1]!.dependencies).toContainEqual(dependency('go-package', 'example.test/low', 'v0.5.0'));
  });

  test.each([
    ['/etc', 'UnsupportedFeature', 'Absolute paths to gomod dependencies are not supported: /etc'],
    ['C:\\x', 'UnsupportedFeature', 'Absolute paths to gomod dependencies are not supported: C:\\x'],
    ['../up', 'ValidationError', 'The local file dependency path ../up is outside the repository'],
    [
      './a/../../up',
      'ValidationError',
      'The local file dependency path ./a/../../up is outside the repository',
    ],
  ])('by %s', async (target, name, message) => {
    const files = withReplace(`replace example.test/low => ${target}`);
    await expect(gomod.resolve(prepare(files).context)).rejects.toMatchObject({ name, message });
  });

  test('by a directory above whose module is not in the request', async () => {
    const app = Object.fromEntries(
      Object.entries(withReplace('replace example.test/low => ../low')).map(([path, text]) => [
        `app/${path}`,
        text,
      ]),
    );
    const files = { ...app, 'low/go.mod': local['libs/low/go.mod'], 'low/low.go': local['libs/low/low.go'] };
    const contract = prepare(files, { packages: [{ path: 'app' }], request: { rules: 'cachito' } });
    await expect(gomod.resolve(contract.context)).rejects.toMatchObject({
      name: 'InvalidRequestData',
      message:
        "Could not find a Go module in this request containing example.test/low while processing dependency {'type': 'gomod', 'name': 'example.test/low', 'version': '../low', 'replaces': None} of package example.test/project. Please tell Cachito to process the module which contains the dependency. Perhaps the parent module of example.test/project?",
    });
    const both = prepare(files, {
      packages: [{ path: 'app' }, { path: 'low' }],
      request: { rules: 'cachito' },
    });
    expect((await gomod.resolve(both.context)).packages).toHaveLength(5);
    const native = prepare(files, { packages: [{ path: 'app' }] });
    expect((await gomod.resolve(native.context)).packages).toHaveLength(3);
  });
});

describe('dependency replacements of the request', () => {
  test('edit go.mod and say what they replace', async () => {
    const { context, blobs } = prepare(project(), {
      replacements: [{ name: 'example.test/low', type: 'gomod', version: 'v0.2.0' }],
    });
    const { packages, sourceChanges } = await gomod.resolve(context);
    const replaces = { type: 'gomod', name: 'example.test/low', version: 'v0.1.0' };
    expect(packages[0]!.dependencies).toEqual([
      dependency('gomod', 'example.test/Upper', 'v1.2.0'),
      { ...dependency('gomod', 'example.test/low', 'v0.2.0'), replaces },
    ]);
    expect(packages[1]!.dependencies[1]).toEqual({
      ...dependency('go-package', 'example.test/low', 'v0.2.0'),
      replaces: { ...replaces, type: 'go-package' },
    });
    expect(sourceChanges.map(({ path }) => path)).toEqual(['go.mod', 'go.sum']);
    const [goMod] = sourceChanges as { file: { digest: `sha256:${string}` } }[];
    expect(blobs.blobs.get(goMod!.file.digest)!.toString()).toContain(
      'replace example.test/low => example.test/low v0.2.0',
    );
  });

  test('must apply', async () => {
    const { context } = prepare(project(), {
      replacements: [{ name: 'example.test/other', type: 'gomod', version: 'v1.0.0' }],
    });
    await expect(gomod.resolve(context)).rejects.toMatchObject({
      message: "The following gomod dependency replacements don't apply: example.test/other",
    });
  });

  test('are for one path only, and never paths themselves', async () => {
    const replacements = [{ name: 'example.test/low', type: 'gomod' as const, version: 'v0.2.0' }];
    const two = prepare(project(), { replacements, packages: [{ path: '.' }, { path: 'alone' }] });
    await expect(gomod.resolve(two.context)).rejects.toMatchObject({
      name: 'UnsupportedFeature',
      message: 'Dependency replacements are only supported for a single go module path.',
    });
    const path = prepare(project(), { replacements: [{ ...replacements[0]!, newName: '../../etc' }] });
    await expect(gomod.resolve(path.context)).rejects.toMatchObject({ code: 'invalid-lockfile' });
  });
});

describe('vendoring', () => {
  const vendored = async (): Promise<Record<string, string>> => {
    const directory = temporaryDirectory();
    for (const [path, text] of Object.entries(project())) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), text);
    }
    await promisify(execFile)('go', ['mod', 'vendor'], {
      cwd: directory,
      env: {
        ...process.env,
        GOPROXY: proxy.url,
        GOSUMDB: 'off',
        GOFLAGS: '-modcacherw',
        GOMODCACHE: join(temporaryDirectory(), 'mod'),
      },
    });
    const found = readdirSync(join(directory, 'vendor'), { recursive: true, withFileTypes: true });
    const paths = found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    return Object.fromEntries(
      paths.map((path) => [path.slice(directory.length + 1), readFileSync(path, 'utf8')]),
    );
  };

  test('puts vendor/ into the source, and no modules beside it', async () => {
    const { context } = prepare(project(), { flags: ['gomod-vendor'] });
    const { packages, files, directories, sourceChanges } = await gomod.resolve(context);
    expect(sourceChanges.map(({ kind, path }) => [kind, path])).toEqual([
      ['write', 'vendor/example.test/Upper/upper.go'],
      ['write', 'vendor/example.test/low/low.go'],
      ['write', 'vendor/modules.txt'],
    ]);
    expect(files).toEqual([]);
    expect(directories).toEqual(['deps/gomod']);
    expect(packages[0]!.dependencies).toEqual([
      dependency('gomod', 'example.test/Upper', 'v1.2.0'),
      dependency('gomod', 'example.test/low', 'v0.1.0'),
    ]);
    expect(packages).toHaveLength(3);
  });

  test('without any dependency there is nothing to vendor', async () => {
    const { context, lines } = prepare(
      { 'go.mod': 'module example.test/plain\n\ngo 1.20\n', 'sub/sub.go': 'package sub\n' },
      { flags: ['gomod-vendor'] },
    );
    const { packages, sourceChanges } = await gomod.resolve(context);
    expect(packages.map(({ name }) => name)).toEqual(['example.test/plain', 'example.test/plain/sub']);
    expect(sourceChanges).toEqual([]);
    expect(lines.filter((line) => line.startsWith('warn'))).toEqual([]);
  });

  test('checks an existing vendor/', async () => {
    const existing = await vendored();
    const same = prepare({ ...project(), ...existing }, { flags: ['gomod-vendor-check'] });
    expect((await gomod.resolve(same.context)).sourceChanges).toEqual([]);
    const changed = prepare(
      { ...project(), ...existing, 'vendor/example.test/low/extra.go': 'package low\n' },
      { flags: ['gomod-vendor-check'] },
    );
    await expect(gomod.resolve(changed.context)).rejects.toMatchObject({
      name: 'ValidationError',
      message:
        'The content of the vendor directory is not consistent with go.mod. Run `go mod vendor` locally to fix this problem. See the logs for more details.',
    });
    expect(changed.lines).toContain(
      'warn: gomod: vendor/example.test/low/extra.go is not what go mod vendor writes',
    );
  });

  test('without a flag vendor/ stays, and modules are fetched', async () => {
    const { context } = prepare({ ...project(), ...(await vendored()) });
    const { files, sourceChanges, packages } = await gomod.resolve(context);
    expect(files).toHaveLength(10);
    expect(sourceChanges).toEqual([]);
    expect(packages).toHaveLength(3);
  });

  test('not in a workspace', async () => {
    const { context } = prepare(
      { ...project(), 'go.work': 'go 1.20\n\nuse .\n' },
      { flags: ['gomod-vendor'] },
    );
    await expect(gomod.resolve(context)).rejects.toMatchObject({
      name: 'UnsupportedFeature',
      message: 'Workspace vendoring introduced in Go 1.22 is not supported',
    });
  });
});

describe('a workspace', () => {
  const workspace = (): Record<string, string> => ({
    'go.work': 'go 1.20\n\nuse (\n\t.\n\t./member\n)\n',
    ...project(),
    'member/go.mod': 'module example.test/member\n\ngo 1.20\n',
    'member/sub/sub.go': 'package sub\n',
    'alone/alone.go': 'package alone\n\nimport _ "example.test/member/sub"\n',
  });

  test('its modules are dependencies of each other by their directories', async () => {
    const { context } = prepare(workspace(), { packages: [{ path: '.' }, { path: 'member' }] });
    const { packages, offline } = await gomod.resolve(context);
    expect(packages.map(({ type, name, path }) => [type, name, path])).toEqual([
      ['gomod', 'example.test/project', '.'],
      ['go-package', 'example.test/project', '.'],
      ['go-package', 'example.test/project/alone', 'alone'],
      ['gomod', 'example.test/member', 'member'],
      ['go-package', 'example.test/member/sub', 'member/sub'],
    ]);
    expect(packages[0]!.dependencies).toContainEqual(dependency('gomod', 'example.test/member', './member'));
    expect(packages[2]!.dependencies).toEqual([
      dependency('go-package', 'example.test/member/sub', './member/sub'),
    ]);
    expect(packages[3]!.dependencies).toContainEqual(dependency('gomod', 'example.test/project', '..'));
    expect(offline.environment.at(-1)).toEqual({ name: 'GOWORK', value: 'app/go.work', kind: 'path' });
  });

  test('its modules may require each other in versions that nobody has published', async () => {
    const { context } = prepare(
      {
        'go.work': 'go 1.20\n\nuse (\n\t./a\n\t./b\n)\n',
        'a/go.mod': 'module example.test/a\n\ngo 1.20\n\nrequire example.test/b v0.0.0\n',
        'a/a.go': 'package a\n\nimport _ "example.test/b"\n',
        'b/go.mod': 'module example.test/b\n\ngo 1.20\n',
        'b/b.go': 'package b\n',
      },
      { packages: [{ path: 'a' }] },
    );
    const { packages, files } = await gomod.resolve(context);
    expect(packages.map(({ name, dependencies }) => [name, dependencies])).toEqual([
      ['example.test/a', [dependency('gomod', 'example.test/b', '../b')]],
      ['example.test/a', [dependency('go-package', 'example.test/b', '../b')]],
    ]);
    expect(files).toEqual([]);
  });

  test('is of no concern to a module that it leaves out', async () => {
    const files = {
      ...workspace(),
      'out/go.mod': 'module example.test/out\n\ngo 1.20\n',
      'out/out.go': 'package out\n',
    };
    const { context } = prepare(files, { packages: [{ path: 'out' }] });
    const { packages, offline } = await gomod.resolve(context);
    expect(packages.map(({ type, name, path, dependencies }) => [type, name, path, dependencies])).toEqual([
      ['gomod', 'example.test/out', 'out', []],
      ['go-package', 'example.test/out', 'out', []],
    ]);
    expect(offline.environment.at(-1)).toEqual({ name: 'GOWORK', value: 'off', kind: 'literal' });
  });

  test('may not reach out of the source', async () => {
    const files = { ...workspace(), 'go.work': 'go 1.20\n\nuse ../outside\n' };
    await expect(gomod.resolve(prepare(files).context)).rejects.toMatchObject({ code: 'path-outside-root' });
  });
});

describe('being cancelled', () => {
  test('ends at once and leaves nothing running', async () => {
    const slow = await startGoProxy(MODULES, { latency: 60_000 });
    const controller = new AbortController();
    const { context } = prepare(project(), { settings: { goproxy: slow.url }, signal: controller.signal });
    const files = { ...project() };
    delete files['go.sum'];
    const waiting = prepare(files, { settings: { goproxy: slow.url }, signal: controller.signal });
    const outcome = gomod.resolve({ ...context, source: waiting.context.source });
    const asked = async (): Promise<void> => {
      while (slow.hits.size === 0) await new Promise((resolve) => setImmediate(resolve));
    };
    await asked();
    controller.abort(new Error('cancelled'));
    await expect(outcome).rejects.toThrow('cancelled');
    await slow.close();
  });
});
