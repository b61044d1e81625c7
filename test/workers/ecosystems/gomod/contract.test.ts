import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Settings } from '../../../../src/domain/config.ts';
import { type DomainError, RepositoryAccessError } from '../../../../src/domain/errors.ts';
import type { DependencyReplacement, Flag } from '../../../../src/domain/packages/package.ts';
import { gomod } from '../../../../src/workers/ecosystems/gomod/index.ts';
import { type GoProxy, startGoProxy } from '../../../support/go-proxy.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';
import {
  type ResolveContextOptions,
  resolveContext,
  temporaryDirectory,
} from '../../../support/resolve-context.ts';

/** prefetch.md 2.1 and cachito.md 3.4 under Cachito's own rules: its flags and its words. */

let proxy: GoProxy;
beforeEach(async () => {
  proxy = await startGoProxy([
    { path: 'example.test/Upper', version: 'v1.2.0', require: ['example.test/low@v0.1.0'] },
    { path: 'example.test/low', version: 'v0.1.0' },
    { path: 'example.test/fork', version: 'v0.9.0' },
  ]);
});
afterEach(() => proxy.close());

interface Options extends Omit<Partial<ResolveContextOptions>, 'source' | 'settings' | 'request'> {
  settings?: Partial<Settings>;
  flags?: Flag[];
  replacements?: DependencyReplacement[];
}

function prepare(
  files: Parameters<typeof memorySourceTree>[0],
  { flags = [], replacements = [], settings, ...options }: Options = {},
) {
  return resolveContext({
    source: memorySourceTree(files),
    settings: { dataDir: temporaryDirectory(), goproxy: proxy.url, gosumdb: 'off', ...settings },
    request: { rules: 'cachito', flags: new Set(flags), dependencyReplacements: replacements },
    ...options,
  });
}

const project = (): Record<string, string> => ({
  'go.mod':
    'module example.test/project\n\ngo 1.20\n\nrequire example.test/Upper v1.2.0\n\nrequire example.test/low v0.1.0 // indirect\n',
  'go.sum': proxy.sums(['example.test/Upper@v1.2.0', 'example.test/low@v0.1.0']),
  'main.go':
    'package main\n\nimport (\n\t"fmt"\n\n\tupper "example.test/Upper"\n)\n\nfunc main() { fmt.Println(upper.Name()) }\n',
});

const PATHS = ['a', 'b', 'c'].map((path) => ({ path }));
const DRIFT =
  'The content of the vendor directory is not consistent with go.mod. Run `go mod vendor` locally to fix this problem. See the logs for more details.';
const STRICT =
  'The "gomod-vendor" or "gomod-vendor-check" flag must be set when your repository has vendored dependencies.';
const VENDORED = { 'vendor/example.test/old/old.go': 'package old\n' };

describe('fails in the words of the contract', () => {
  test.each<[string, () => Record<string, string>, Options, string, string]>([
    [
      'no go.mod at two of three paths',
      () => ({ 'c/go.mod': 'module example.test/c\n' }),
      { packages: PATHS },
      'FileAccessError',
      'The a/go.mod; b/go.mod files must be present for the gomod package manager',
    ],
    [
      'no go.mod, where the operator insists',
      () => ({}),
      { settings: { gomodIgnoreMissingFile: false }, packages: [{ path: 'a' }] },
      'FileAccessError',
      'The a/go.mod file must be present for the gomod package manager',
    ],
    [
      'a vendor directory without a flag, where the operator insists',
      () => ({ ...project(), ...VENDORED }),
      { settings: { gomodStrictVendor: true } },
      'ValidationError',
      STRICT,
    ],
    [
      'a vendor directory that differs, to be checked',
      () => ({ ...project(), ...VENDORED }),
      { flags: ['gomod-vendor-check'] },
      'ValidationError',
      DRIFT,
    ],
    [
      'the same with both flags: the check wins',
      () => ({ ...project(), ...VENDORED }),
      { flags: ['gomod-vendor', 'gomod-vendor-check'] },
      'ValidationError',
      DRIFT,
    ],
    [
      'vendoring in a workspace',
      () => ({ ...project(), 'go.work': 'go 1.20\n\nuse .\n' }),
      { flags: ['gomod-vendor'] },
      'UnsupportedFeature',
      'Workspace vendoring introduced in Go 1.22 is not supported',
    ],
    [
      'replacements for two paths',
      () => ({}),
      {
        packages: PATHS,
        replacements: [{ name: 'example.test/low', type: 'gomod', version: 'v0.2.0' }],
      },
      'UnsupportedFeature',
      'Dependency replacements are only supported for a single go module path.',
    ],
    [
      'replacements that do nothing',
      project,
      {
        replacements: [
          { name: 'example.test/z', type: 'gomod', version: 'v1.0.0' },
          { name: 'example.test/a', type: 'gomod', version: 'v1.0.0' },
        ],
      },
      'GoModError',
      "The following gomod dependency replacements don't apply: example.test/a, example.test/z",
    ],
    [
      'a download that fails for good',
      () => ({ ...project(), 'go.mod': 'module x\n\ngo 1.20\n\nrequire example.test/none v1.0.0\n' }),
      {},
      'GoModError',
      'Go execution failed: Cachito re-tried running `go mod download -json` command 5 times.',
    ],
    [
      'another command that fails',
      project,
      { replacements: [{ name: 'example.test/low', type: 'gomod', version: 'v9.9.9' }] },
      'GoModError',
      'Go execution failed: `go mod tidy` failed with rc=1',
    ],
    [
      'an absolute path',
      () => ({ ...project(), 'go.mod': `${project()['go.mod']}\nreplace example.test/low => /opt/low\n` }),
      {},
      'UnsupportedFeature',
      'Absolute paths to gomod dependencies are not supported: /opt/low',
    ],
    [
      'a path above the repository',
      () => ({ ...project(), 'go.mod': `${project()['go.mod']}\nreplace example.test/low => ../low\n` }),
      {},
      'ValidationError',
      'The local file dependency path ../low is outside the repository',
    ],
  ])('%s', async (_, files, options, name, message) => {
    const { context } = prepare(files(), options);
    await expect(gomod.resolve(context)).rejects.toMatchObject({ name, message });
  });

  test('the host of the modules is down', async () => {
    const files = project();
    const { context } = prepare(files);
    await proxy.close();
    const failed = gomod.resolve(context);
    await expect(failed).rejects.toMatchObject({
      name: 'GoModError',
      message: 'Go execution failed: Cachito re-tried running `go mod download -json` command 5 times.',
    });
    proxy = await startGoProxy([]);
  });

  test('tags that cannot be fetched', async () => {
    const { context } = prepare(project());
    context.git = {
      ...context.git,
      reachableTags: async () => {
        throw new RepositoryAccessError('git-failed', 'Failed to fetch from the remote Git repository');
      },
    };
    const error = (await gomod.resolve(context).catch((reason: unknown) => reason)) as DomainError;
    expect(error.name).toBe('RepositoryAccessError');
    expect(error.message).toMatch(/^Failed to fetch the tags on the Git repository/);
  });
});

describe('a single path without a go.mod', () => {
  test('is passed over: no package, no variable, no directory', async () => {
    const { context } = prepare({ 'README.md': '' }, { packages: [{ path: 'sub' }] });
    expect(gomod.isIdle!(context)).toBe(true);
    expect(await gomod.resolve(context)).toMatchObject({
      packages: [],
      directories: [],
      registry: { environment: [], configurationFiles: [] },
      offline: { environment: [], configurationFiles: [] },
    });
  });

  test.each<[string, Record<string, string>, Options]>([
    ['of two', {}, { packages: PATHS.slice(0, 2) }],
    ['that the operator insists on', {}, { settings: { gomodIgnoreMissingFile: false } }],
    ['that is there', { 'go.mod': 'module x\n' }, {}],
  ])('but not one %s', (_, files, options) => {
    expect(gomod.isIdle!(prepare(files, options).context)).toBe(false);
  });

  test('nor in the own interface', () => {
    const { context } = prepare({});
    expect(gomod.isIdle!({ ...context, request: { rules: 'native' } })).toBe(false);
  });
});

describe('without flags', () => {
  test('variables, and no standard library', async () => {
    const { packages, registry, directories } = await gomod.resolve(prepare(project()).context);
    expect(registry).toEqual({
      environment: [
        { name: 'GOCACHE', value: 'deps/gomod', kind: 'path' },
        { name: 'GOPATH', value: 'deps/gomod', kind: 'path' },
        { name: 'GOMODCACHE', value: 'deps/gomod/pkg/mod', kind: 'path' },
        { name: 'GOSUMDB', value: 'off', kind: 'literal' },
      ],
      configurationFiles: [],
    });
    expect(directories).toEqual(['deps/gomod/pkg/mod/cache/download']);
    expect(
      packages.map(({ type, name, dependencies }) => [type, name, dependencies.map((one) => one.name)]),
    ).toEqual([
      ['gomod', 'example.test/project', ['example.test/Upper', 'example.test/low']],
      ['go-package', 'example.test/project', ['example.test/Upper', 'example.test/low']],
    ]);
  });

  test('a vendor directory stays as it is', async () => {
    const { sourceChanges } = await gomod.resolve(prepare({ ...project(), ...VENDORED }).context);
    expect(sourceChanges).toEqual([]);
  });
});

describe('gomod-vendor', () => {
  test('replaces a vendor directory that differs, and says so', async () => {
    const { context, lines } = prepare({ ...project(), ...VENDORED }, { flags: ['gomod-vendor'] });
    const { sourceChanges, files, directories } = await gomod.resolve(context);
    expect(sourceChanges.map(({ kind, path }) => `${kind} ${path}`)).toEqual([
      'write vendor/example.test/Upper/upper.go',
      'write vendor/example.test/low/low.go',
      'remove vendor/example.test/old/old.go',
      'write vendor/modules.txt',
    ]);
    expect(files).toEqual([]);
    expect(directories).toEqual(['deps/gomod']);
    expect(lines).toContain('warn: gomod: vendor/example.test/old/old.go is not what go mod vendor writes');
  });

  test.each<Flag>(['gomod-vendor', 'gomod-vendor-check'])(
    '%s makes a vendor directory where there is none',
    async (flag) => {
      const { context } = prepare(project(), { flags: [flag], settings: { gomodStrictVendor: true } });
      const { sourceChanges } = await gomod.resolve(context);
      expect(sourceChanges.map(({ path }) => path)).toContain('vendor/modules.txt');
    },
  );
});

describe('changes of go.mod', () => {
  test('force-gomod-tidy drops what is not needed', async () => {
    const files = project();
    files['go.mod'] += '\nrequire example.test/fork v0.9.0\n';
    const { context, blobs } = prepare(files, { flags: ['force-gomod-tidy'] });
    const { packages, sourceChanges } = await gomod.resolve(context);
    expect(packages[0]!.dependencies.map(({ name }) => name)).toEqual([
      'example.test/Upper',
      'example.test/low',
    ]);
    const change = sourceChanges.find(({ path }) => path === 'go.mod');
    const digest = change?.kind === 'write' ? change.file.digest : null;
    expect(blobs.blobs.get(digest!)!.toString()).not.toContain('example.test/fork');
  });

  test('a replacement by another module reports both names', async () => {
    const replacement: DependencyReplacement = {
      name: 'example.test/low',
      newName: 'example.test/fork',
      type: 'gomod',
      version: 'v0.9.0',
    };
    const others: DependencyReplacement = { name: 'left-pad', type: 'npm', version: '1.0.0' };
    const { context } = prepare(project(), { replacements: [replacement, others] });
    const { packages } = await gomod.resolve(context);
    expect(packages[0]!.dependencies).toEqual([
      { type: 'gomod', name: 'example.test/Upper', version: 'v1.2.0', replaces: null },
      {
        type: 'gomod',
        name: 'example.test/fork',
        version: 'v0.9.0',
        replaces: { type: 'gomod', name: 'example.test/low', version: 'v0.1.0' },
      },
    ]);
  });
});
