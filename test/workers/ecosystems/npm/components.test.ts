import { expect, test } from 'vitest';
import type { SbomComponent } from '../../../../src/domain/bundles/sbom-component.ts';
import { publicVcsUrl } from '../../../../src/domain/sources/public-url.ts';
import type { Artifact } from '../../../../src/workers/downloads/artifact-store.ts';
import { classify } from '../../../../src/workers/ecosystems/npm/classify.ts';
import { npmComponents, type ResolvedNpmPackage } from '../../../../src/workers/ecosystems/npm/components.ts';
import { parseLockFile } from '../../../../src/workers/ecosystems/npm/lock-file.ts';
import { sourcePurl } from '../../../../src/workers/ecosystems/package-purl.ts';
import { npm } from '../../../../src/workers/javascript-packages/purl.ts';

const SOURCE = { repository: 'https://user:secret@git.example/team/project.git', commit: 'c'.repeat(40) };
const VCS = `vcs_url=${encodeURIComponent(`git+https://git.example/team/project.git@${SOURCE.commit}`)}`;

/** A resolved package whose files have their name and version for content. */
function resolved(
  document: object,
  directory = '.',
  rootDependencies?: string[],
  salt = '',
): ResolvedNpmPackage {
  const path = directory === '.' ? 'package-lock.json' : `${directory}/package-lock.json`;
  const lock = parseLockFile(path, Buffer.from(JSON.stringify(document)));
  const registries = {
    upstream: 'https://r.example/',
    scopes: new Map(),
    fromSettings: true,
    headersFor: () => ({}),
  };
  return {
    lock,
    directory,
    rootDependencies: rootDependencies ?? lock.rootDependencies ?? [],
    dependencies: lock.entries.map((entry) => {
      const dependency = classify(lock, entry, {
        registries,
        configuredRegistries: false,
        fileDepsAllowlist: {},
      });
      const spec = `${entry.name}@${entry.version}`;
      const artifact = {
        url: `https://r.example/${spec}`,
        digests: { sha256: `${spec}${salt}`, sha512: `512 ${spec}`, md5: 'known by chance' },
      } as unknown as Artifact;
      const isFetched = dependency.kind === 'registry';
      return {
        dependency,
        version: entry.version,
        license: entry.license,
        artifact: isFetched ? artifact : null,
        bundlePath: isFetched ? `deps/npm/${spec}.tgz` : null,
      };
    }),
  };
}

const edges = (rows: SbomComponent[]) =>
  Object.fromEntries(
    rows.map(({ ref, dependsOn }) => [
      ref.replace(/\?.*?(#|$)/, '$1'),
      dependsOn!.map((to) => to.replace(/\?.*?(#|$)/, '$1')),
    ]),
  );

const integrity = `sha512-${Buffer.alloc(64, 1).toString('base64')}`;
const LOCK_3 = {
  name: 'App',
  version: '1.0.0',
  lockfileVersion: 3,
  packages: {
    '': {
      license: 'MIT',
      dependencies: { a: '1' },
      devDependencies: { d: '1' },
      optionalDependencies: { o: '1' },
    },
    'node_modules/a': {
      version: '1.0.0',
      integrity,
      license: 'ISC',
      hasInstallScript: true,
      dependencies: { b: '1' },
      optionalDependencies: { o: '1' },
      peerDependencies: { d: '1', absent: '1' },
    },
    'node_modules/a/node_modules/b': { version: '1.0.0', inBundle: true },
    'node_modules/@Scope/b': { version: '2.0.0', integrity, dev: true },
    'node_modules/d': { version: '1.0.0', integrity, dev: true, dependencies: { '@Scope/b': '2', d: '*' } },
    'node_modules/o': { version: '1.0.0', integrity, optional: true },
  },
};

test('the graph of versions 2 and 3, with optional and peer dependencies', () => {
  const rows = npmComponents([resolved(LOCK_3)], SOURCE);
  expect(edges(rows)).toEqual({
    'pkg:npm/%40scope/b@2.0.0': [],
    'pkg:npm/a@1.0.0': ['pkg:npm/b@1.0.0', 'pkg:npm/d@1.0.0', 'pkg:npm/o@1.0.0'],
    'pkg:npm/app@1.0.0': ['pkg:npm/a@1.0.0', 'pkg:npm/d@1.0.0', 'pkg:npm/o@1.0.0'],
    'pkg:npm/b@1.0.0': [],
    'pkg:npm/d@1.0.0': ['pkg:npm/%40scope/b@2.0.0'],
    'pkg:npm/o@1.0.0': [],
  });
  const byName = new Map(rows.map((row) => [row.name, row]));
  expect(byName.get('a')).toEqual({
    ref: 'pkg:npm/a@1.0.0',
    purl: 'pkg:npm/a@1.0.0',
    type: 'library',
    name: 'a',
    version: '1.0.0',
    isSourcePackage: false,
    hashes: { sha256: 'a@1.0.0', sha512: '512 a@1.0.0' },
    distributionUrl: 'https://r.example/a@1.0.0',
    license: 'ISC',
    bundlePaths: ['deps/npm/a@1.0.0.tgz'],
    properties: { 'stowage:npm:has-install-script': 'true' },
    dependsOn: ['pkg:npm/b@1.0.0', 'pkg:npm/d@1.0.0', 'pkg:npm/o@1.0.0'],
  });
  expect(byName.get('b')).toMatchObject({
    hashes: {},
    bundlePaths: [],
    properties: { 'cdx:npm:package:bundled': 'true' },
  });
  expect(byName.get('d')!.properties).toEqual({ 'cdx:npm:package:development': 'true' });
  expect(byName.get('App')).toMatchObject({
    isSourcePackage: true,
    license: 'MIT',
    purl: `pkg:npm/app@1.0.0?${VCS}`,
  });
});

test('the graph of version 1 starts from package.json', () => {
  const document = {
    name: 'app',
    version: '1.0.0',
    lockfileVersion: 1,
    dependencies: {
      a: {
        version: '1.0.0',
        requires: { b: '1', c: '1' },
        dependencies: { b: { version: '1.0.0', requires: { c: '1' } } },
      },
      b: { version: '2.0.0' },
      c: { version: '1.0.0' },
    },
  };
  expect(edges(npmComponents([resolved(document, '.', ['a', 'b'])], SOURCE))).toEqual({
    'pkg:npm/a@1.0.0': ['pkg:npm/b@1.0.0', 'pkg:npm/c@1.0.0'],
    'pkg:npm/app@1.0.0': ['pkg:npm/a@1.0.0', 'pkg:npm/b@2.0.0'],
    'pkg:npm/b@1.0.0': ['pkg:npm/c@1.0.0'],
    'pkg:npm/b@2.0.0': [],
    'pkg:npm/c@1.0.0': [],
  });
});

test('workspaces are named after the source and belong to the main package', () => {
  const document = {
    name: 'app',
    version: '1.0.0',
    lockfileVersion: 3,
    packages: {
      '': { workspaces: ['packages/*'] },
      'node_modules/client': { resolved: 'packages/client', link: true },
      'packages/client': { version: '0.1.0', dependencies: { a: '1' } },
      'packages/client/node_modules/a': { version: '1.0.0', integrity },
    },
  };
  const rows = npmComponents([resolved(document, 'web')], SOURCE);
  expect(edges(rows)).toEqual({
    'pkg:npm/a@1.0.0': [],
    'pkg:npm/app@1.0.0#web': ['pkg:npm/client@0.1.0#web/packages/client'],
    'pkg:npm/client@0.1.0#web/packages/client': ['pkg:npm/a@1.0.0'],
  });
  expect(rows.find(({ name }) => name === 'client')!.purl).toBe(
    `pkg:npm/client@0.1.0?${VCS}#web/packages/client`,
  );
});

test('equal packages are one row: use at run time wins, other bytes are another row', () => {
  const lock = (dev: boolean, inBundle: boolean) => ({
    name: 'app',
    version: '1.0.0',
    lockfileVersion: 3,
    packages: {
      '': {},
      'node_modules/a': { version: '1.0.0', ...(dev ? { dev } : {}), ...(inBundle ? { inBundle } : {}) },
    },
  });
  const merged = npmComponents([resolved(lock(true, false), 'x'), resolved(lock(false, false), 'y')], SOURCE);
  const row = merged.find(({ name }) => name === 'a')!;
  expect(row.properties).toEqual({
    'stowage:missing_hash:in_file': 'x/package-lock.json,y/package-lock.json',
  });
  const bundled = npmComponents([resolved(lock(true, true), 'x'), resolved(lock(true, false), 'y')], SOURCE);
  expect(bundled.find(({ name }) => name === 'a')).toMatchObject({
    properties: { 'cdx:npm:package:development': 'true' },
    hashes: { sha256: 'a@1.0.0' },
    bundlePaths: ['deps/npm/a@1.0.0.tgz'],
  });
  const different = npmComponents(
    [resolved(lock(false, false), 'x'), resolved(lock(false, false), 'y', [], '!')],
    SOURCE,
  );
  const rows = different.filter(({ name }) => name === 'a');
  expect(new Set(rows.map(({ ref }) => ref)).size).toBe(2);
  expect(new Set(rows.map(({ purl }) => purl)).size).toBe(1);
});

test.for<[string, string | null]>([
  ['https://git.example/x.git', 'https://git.example/x.git'],
  ['https://me:secret@git.example/x', 'https://git.example/x'],
  ['ssh://git:secret@git.example/x', 'ssh://git@git.example/x'],
  ['git@git.example:ns/x.git', 'ssh://git@git.example/ns/x.git'],
  ['/home/me/x', null],
  ['../x', null],
  ['file:///home/me/x', null],
])('repository %s in a purl', ([repository, expected]) => {
  expect(publicVcsUrl(repository)).toBe(expected);
});

test('an uploaded archive has no vcs_url', () => {
  expect(sourcePurl(npm('@S/x', '1.0.0'), { repository: null, commit: null }, 'a/b')).toBe(
    'pkg:npm/%40s/x@1.0.0#a/b',
  );
});
