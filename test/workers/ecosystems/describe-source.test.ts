import { describe, expect, test } from 'vitest';
import { cycloneDx } from '../../../src/domain/bundles/sbom/cyclonedx.ts';
import type { SbomComponent } from '../../../src/domain/bundles/sbom-component.ts';
import { describeSource } from '../../../src/workers/ecosystems/describe-source.ts';
import { memorySourceTree } from '../../support/memory-source-tree.ts';
import { cycloneDxErrors } from '../../support/sbom-rules.ts';
import { sbomSubject } from '../../support/sbom-subject.ts';

const LIMITS = { lockFileBytes: 100_000, dependencies: 1_000, packages: 10 };
const COMMIT = 'c'.repeat(40);
const hex = (character: string, length: number): string => character.repeat(length);
const base64 = (digits: string): string => Buffer.from(digits, 'hex').toString('base64');

type Files = Parameters<typeof memorySourceTree>[0];

async function described(files: Files, limits = LIMITS) {
  const defects: unknown[] = [];
  const options = { signal: new AbortController().signal, onDefect: (error: unknown) => defects.push(error) };
  const source = memorySourceTree(files);
  const result = await describeSource(source, { repository: null, commit: null }, limits, options);
  expect(defects).toEqual([]);
  const errors = cycloneDxErrors(cycloneDx(sbomSubject(result.components)));
  expect(errors.filter((error) => !error.endsWith('has no SHA-256'))).toEqual([]);
  return result;
}

/** What is not as in every row. */
function told(rows: readonly SbomComponent[]): object[] {
  return rows.map(({ purl, hashes, properties, lockFiles, distributionUrl, isSourcePackage, dependsOn }) => ({
    purl,
    ...(Object.keys(hashes).length > 0 && { hashes }),
    ...(Object.keys(properties).length > 0 && { properties }),
    ...(isSourcePackage ? { own: true } : { lockFiles }),
    ...(distributionUrl !== undefined && { url: distributionUrl }),
    ...(dependsOn !== null && dependsOn.length > 0 && { dependsOn }),
  }));
}

const ABBREV = 'https://npm.internal.example/repository/abbrev/-/abbrev-1.1.1.tgz';
const npmLock = {
  name: 'site',
  lockfileVersion: 3,
  packages: {
    '': { name: 'site', dependencies: { abbrev: '^1.0.0', two: '1.0.0', web: '*' } },
    'node_modules/abbrev': {
      version: '1.1.1',
      resolved: ABBREV,
      integrity: `sha512-${base64(hex('a', 128))}`,
      license: 'ISC',
    },
    'node_modules/two': {
      version: '1.0.0',
      resolved: 'https://user:secret@files.example/two.tgz',
      integrity: `sha512-${base64(hex('b', 128))} sha512-${base64(hex('c', 128))}`,
      dev: true,
    },
    'node_modules/git': { version: '2.0.0', resolved: `git+https://git.example/git.git#${COMMIT}` },
    'node_modules/unsure': { version: '1.0.0', resolved: 'https://files.example/unsure.tgz' },
    'node_modules/plain': { version: '3.0.0' },
    'node_modules/out': { version: '1.0.0', resolved: 'file:../../out' },
    'node_modules/web': { resolved: 'web', link: true },
    web: { version: '0.1.0' },
  },
};

test('npm: what a package-lock.json pins, wherever it would come from', async () => {
  const { components, lockFiles, unread, leftOut } = await described({
    'site/package.json': '{}',
    'site/package-lock.json': JSON.stringify(npmLock),
    'site/web/package.json': '{"name":"web"}',
  });
  const lock = ['site/package-lock.json'];
  expect(told(components)).toEqual([
    {
      purl: 'pkg:npm/abbrev@1.1.1',
      hashes: { sha512: hex('a', 128) },
      lockFiles: lock,
      url: ABBREV,
    },
    {
      purl: `pkg:npm/git@2.0.0?vcs_url=git%2Bhttps%3A%2F%2Fgit.example%2Fgit.git%40${COMMIT}`,
      lockFiles: lock,
    },
    {
      purl: 'pkg:npm/plain@3.0.0',
      properties: { 'stowage:missing_hash:in_file': 'site/package-lock.json' },
      lockFiles: lock,
    },
    {
      purl: 'pkg:npm/site#site',
      own: true,
      dependsOn: [
        'pkg:npm/abbrev@1.1.1',
        `pkg:npm/two@1.0.0?checksum=sha512%3A${hex('b', 128)}&download_url=https%3A%2F%2Ffiles.example%2Ftwo.tgz`,
        'pkg:npm/web@0.1.0#site/web',
      ],
    },
    {
      purl: `pkg:npm/two@1.0.0?checksum=sha512%3A${hex('b', 128)}&download_url=https%3A%2F%2Ffiles.example%2Ftwo.tgz`,
      properties: {
        'cdx:npm:package:development': 'true',
        'stowage:locked:any_hash': `sha512:${hex('b', 128)},sha512:${hex('c', 128)}`,
      },
      lockFiles: lock,
      url: 'https://files.example/two.tgz',
    },
    { purl: 'pkg:npm/web@0.1.0#site/web', lockFiles: lock },
  ]);
  expect(components.find(({ name }) => name === 'abbrev')!.license).toBe('ISC');
  expect({ lockFiles, unread }).toEqual({ lockFiles: lock, unread: [] });
  expect(leftOut).toEqual([
    {
      file: lock[0],
      text: expect.stringContaining('unsure@https://files.example/unsure.tgz is missing the integrity'),
    },
    { file: lock[0], text: 'The path ../../out is outside of the source' },
  ]);
});

test('npm: lock files of version 1, of a package without name and version', async () => {
  const { components } = await described({
    'package.json': '{"dependencies":{"a":"1"}}',
    'package-lock.json': JSON.stringify({
      dependencies: {
        a: { version: '1.0.0', integrity: `sha1-${base64(hex('1', 40))}`, requires: { b: '1' } },
        b: { version: '1.2.0', bundled: true },
      },
    }),
  });
  expect(told(components)).toEqual([
    {
      purl: 'pkg:npm/a@1.0.0',
      hashes: { sha1: hex('1', 40) },
      lockFiles: ['package-lock.json'],
      dependsOn: ['pkg:npm/b@1.2.0'],
    },
    {
      purl: 'pkg:npm/b@1.2.0',
      properties: { 'cdx:npm:package:bundled': 'true' },
      lockFiles: ['package-lock.json'],
    },
  ]);
});

test('yarn: what a yarn.lock pins, with the workspaces', async () => {
  const { components, leftOut } = await described({
    'package.json': JSON.stringify({
      private: true,
      workspaces: ['web'],
      devDependencies: { a: '^1.0.0', link: 'file:./lib' },
    }),
    'web/package.json': '{"name":"web","version":"1.0.0","dependencies":{"b":"*"}}',
    'yarn.lock': [
      '# yarn lockfile v1',
      'a@^1.0.0:',
      '  version "1.0.1"',
      `  resolved "https://registry.yarnpkg.com/a/-/a-1.0.1.tgz#${hex('d', 40)}"`,
      '  dependencies:',
      '    b "*"',
      'b@*:',
      '  version "2.0.0"',
      '  resolved "https://npm.internal.example/b/-/b-2.0.0.tgz"',
      `  integrity sha512-${base64(hex('e', 128))}`,
      '"link@file:./lib":',
      '  version "0.0.0"',
      '"out@file:../lib":',
      '  version "0.0.0"',
    ].join('\n'),
  });
  const lockFiles = ['yarn.lock'];
  const properties = { 'cdx:npm:package:development': 'true' };
  expect(told(components)).toEqual([
    {
      purl: 'pkg:npm/a@1.0.1',
      hashes: { sha1: hex('d', 40) },
      properties,
      lockFiles,
      url: 'https://registry.yarnpkg.com/a/-/a-1.0.1.tgz',
      dependsOn: ['pkg:npm/b@2.0.0'],
    },
    {
      purl: 'pkg:npm/b@2.0.0',
      hashes: { sha512: hex('e', 128) },
      lockFiles,
      url: 'https://npm.internal.example/b/-/b-2.0.0.tgz',
    },
    { purl: 'pkg:npm/link@0.0.0#lib', properties, lockFiles },
    { purl: 'pkg:npm/web@1.0.0#web', lockFiles, dependsOn: ['pkg:npm/b@2.0.0'] },
  ]);
  expect(leftOut).toEqual([{ file: 'yarn.lock', text: 'The path ../lib is outside of the source' }]);
});

test('pip: what requirements files pin, with those that they include', async () => {
  const sums = ['a', 'b'].map((one) => `sha256:${hex(one, 64)}`);
  const { components, lockFiles, leftOut } = await described({
    'requirements.txt': [
      '-r more/base.txt',
      '-c constraints.txt',
      `Flask==2.0.1 --hash=${sums[0]} --hash=${sums[1]}`,
      'open>=1',
      'any==1.*',
      'held',
      `six @ https://user:secret@files.example/six-1.tar.gz#cachito_hash=${sums[0]}`,
      `pinned @ git+https://git.example/pinned.git@${COMMIT}`,
      'branch @ git+https://git.example/branch.git@main',
    ].join('\n'),
    'more/base.txt': `itsdangerous==2.0.0 ; python_version > "3" --hash=${sums[1]}`,
    'constraints.txt': 'held==4.0\nunused==1.0',
    'requirements-build.txt': 'wheel===0.37',
  });
  expect(told(components)).toEqual([
    {
      purl: 'pkg:pypi/flask@2.0.1',
      properties: { 'stowage:locked:any_hash': sums.join(',') },
      lockFiles: ['requirements.txt'],
    },
    {
      purl: 'pkg:pypi/held@4.0',
      properties: { 'stowage:missing_hash:in_file': 'requirements.txt' },
      lockFiles: ['requirements.txt'],
    },
    {
      purl: 'pkg:pypi/itsdangerous@2.0.0',
      hashes: { sha256: hex('b', 64) },
      lockFiles: ['more/base.txt'],
    },
    {
      purl: `pkg:pypi/pinned?vcs_url=git%2Bhttps%3A%2F%2Fgit.example%2Fpinned.git%40${COMMIT}`,
      lockFiles: ['requirements.txt'],
    },
    {
      purl: `pkg:pypi/six?checksum=sha256%3A${hex('a', 64)}&download_url=https%3A%2F%2Ffiles.example%2Fsix-1.tar.gz`,
      hashes: { sha256: hex('a', 64) },
      lockFiles: ['requirements.txt'],
      url: 'https://files.example/six-1.tar.gz',
    },
    {
      purl: 'pkg:pypi/wheel@0.37',
      properties: {
        'stowage:missing_hash:in_file': 'requirements-build.txt',
        'stowage:pip:package:build-dependency': 'true',
      },
      lockFiles: ['requirements-build.txt'],
    },
  ]);
  expect(lockFiles).toEqual([
    'constraints.txt',
    'more/base.txt',
    'requirements-build.txt',
    'requirements.txt',
  ]);
  expect(leftOut.map(({ text }) => text)).toEqual([
    'Requirement must be pinned to an exact version: open>=1',
    'Requirement must be pinned to an exact version: any==1.*',
    expect.stringContaining('No git ref in branch @ git+https://git.example/branch.git@main'),
  ]);
});

describe('gomod', () => {
  const sum = (path: string, version: string) => `${path} ${version} h1:${base64(hex('f', 64))}`;
  const h1 = { 'stowage:gomod:sum': `h1:${base64(hex('f', 64))}` };
  const goMod = (go: string, ...rest: string[]) =>
    ['module example.org/tool', `go ${go}`, 'require example.org/a v1.0.0', ...rest].join('\n');
  const goSum = [
    sum('example.org/a', 'v1.0.0'),
    sum('example.org/b', 'v0.2.0'),
    sum('c.org/x', 'v1.0.0/go.mod'),
  ];

  test('go.mod names the modules, go.sum has their sums', async () => {
    const { components, lockFiles, leftOut } = await described({
      'go.mod': goMod(
        '1.21.3',
        'require (',
        '  example.org/Upper v1.2.3 // indirect',
        '  example.org/near v1.0.0',
        '  example.org/far v1.0.0',
        '  example.org/moved v1.0.0',
        ')',
        'replace example.org/near => ./near',
        'replace example.org/far v1.0.0 => ../far',
        'replace example.org/moved => fork.example/moved v1.0.1',
      ),
      'go.sum': [...goSum, sum('fork.example/moved', 'v1.0.1')].join('\n'),
    });
    const files = ['go.mod', 'go.sum'];
    expect(told(components)).toEqual([
      {
        purl: 'pkg:golang/example.org/Upper@v1.2.3?type=module',
        properties: { 'stowage:missing_hash:in_file': 'go.sum' },
        lockFiles: files,
      },
      { purl: 'pkg:golang/example.org/a@v1.0.0?type=module', properties: h1, lockFiles: files },
      { purl: 'pkg:golang/example.org/near?type=module#near', lockFiles: files },
      {
        purl: 'pkg:golang/example.org/tool?type=module',
        own: true,
        dependsOn: [
          'pkg:golang/example.org/Upper@v1.2.3?type=module',
          'pkg:golang/example.org/a@v1.0.0?type=module',
          'pkg:golang/example.org/near?type=module#near',
          'pkg:golang/fork.example/moved@v1.0.1?type=module',
        ],
      },
      { purl: 'pkg:golang/fork.example/moved@v1.0.1?type=module', properties: h1, lockFiles: files },
    ]);
    expect(lockFiles).toEqual(files);
    expect(leftOut).toEqual([{ file: 'go.mod', text: 'The path ../far is outside of the source' }]);
  });

  test('before Go 1.17, go.sum names the others', async () => {
    const { components } = await described({ 'go.mod': goMod('1.16'), 'go.sum': goSum.join('\n') });
    expect(components.map(({ purl }) => purl)).toEqual([
      'pkg:golang/example.org/a@v1.0.0?type=module',
      'pkg:golang/example.org/b@v0.2.0?type=module',
      'pkg:golang/example.org/tool?type=module',
    ]);
  });
});

test('rubygems: what a Gemfile.lock pins, of all platforms', async () => {
  const { components, leftOut } = await described({
    Gemfile: '',
    'Gemfile.lock': [
      'GIT',
      '  remote: https://git.example/gitgem.git',
      `  revision: ${COMMIT}`,
      '  specs:',
      '    gitgem (0.1)',
      'GIT',
      '  remote: git@git.example:ssh.git',
      `  revision: ${COMMIT}`,
      '  specs:',
      '    ssh (0.1)',
      'PATH',
      '  remote: engines/own',
      '  specs:',
      '    own (1.0)',
      '      nokogiri',
      'GEM',
      '  remote: https://gems.internal.example/',
      '  specs:',
      '    nokogiri (1.16.0)',
      '    nokogiri (1.16.0-x86_64-linux)',
      'PLATFORMS',
      '  ruby',
      '  x86_64-linux',
      'DEPENDENCIES',
      '  own!',
      'CHECKSUMS',
      `  nokogiri (1.16.0-x86_64-linux) sha256=${hex('9', 64)}`,
    ].join('\n'),
  });
  const lockFiles = ['Gemfile.lock'];
  expect(told(components)).toEqual([
    {
      purl: `pkg:gem/gitgem@0.1?vcs_url=git%2Bhttps%3A%2F%2Fgit.example%2Fgitgem.git%40${COMMIT}`,
      lockFiles,
    },
    {
      purl: 'pkg:gem/nokogiri@1.16.0',
      properties: { 'stowage:missing_hash:in_file': 'Gemfile.lock' },
      lockFiles,
    },
    {
      purl: 'pkg:gem/nokogiri@1.16.0?platform=x86_64-linux',
      hashes: { sha256: hex('9', 64) },
      lockFiles,
    },
    {
      purl: 'pkg:gem/own@1.0#engines/own',
      lockFiles,
      dependsOn: ['pkg:gem/nokogiri@1.16.0', 'pkg:gem/nokogiri@1.16.0?platform=x86_64-linux'],
    },
  ]);
  expect(leftOut).toEqual([
    { file: 'Gemfile.lock', text: 'All Ruby GIT dependencies have to use HTTPS protocol.' },
  ]);
});

describe('what is not described is told', () => {
  const npm = (directory: string, lock: string) => ({
    [`${directory}package.json`]: '{}',
    [`${directory}package-lock.json`]: lock,
  });
  const good = JSON.stringify({
    lockfileVersion: 3,
    packages: { 'node_modules/a': { version: '1.0.0', integrity: `sha1-${base64(hex('1', 40))}` } },
  });

  test('nothing at all', async () => {
    expect(await described({ Dockerfile: 'FROM scratch' })).toEqual({
      components: [],
      lockFiles: [],
      unread: [],
      aside: [],
      leftOut: [],
    });
  });

  test('damaged files, of every manager; the others are described', async () => {
    const { components, lockFiles, unread } = await described({
      ...npm('', '{"lockfileVersion": 3, "packages": {'),
      ...npm('good/', good),
      ...npm('name/', good.replace('node_modules/a', 'node_modules/%00')),
      'web/package.json': '{}',
      'web/yarn.lock': '<<<<<<< HEAD',
      'new/package.json': '{}',
      'new/yarn.lock': '__metadata:\n  version: 6',
      'api/requirements.txt': '-r /etc/passwd',
      'tool/go.mod': 'module "a',
      'shop/Gemfile': '',
      'shop/Gemfile.lock': 'GEM\n  specs:\n    a (1',
      'desk/pnpm-lock.yaml': '',
    });
    expect(components.map(({ purl }) => purl)).toEqual(['pkg:npm/a@1.0.0']);
    expect(lockFiles).toEqual(['good/package-lock.json']);
    expect(unread).toEqual([
      { file: 'tool/go.mod', text: expect.stringContaining('tool/go.mod:1: unexpected format') },
      { file: 'package-lock.json', text: expect.stringContaining('unexpected format (not JSON') },
      { file: 'name/package-lock.json', text: expect.stringContaining('invalid package name') },
      { file: 'api/requirements.txt', text: expect.stringContaining('an invalid path: /etc/passwd') },
      { file: 'web/yarn.lock', text: expect.stringContaining('unsupported format') },
      { file: 'shop/Gemfile.lock', text: expect.stringContaining('line 3') },
      { file: 'desk/pnpm-lock.yaml', text: 'lock files of this kind are not read' },
      { file: 'new/yarn.lock', text: 'lock files of this kind are not read' },
    ]);
  });

  test('test data beside the real thing', async () => {
    const { lockFiles, aside, unread } = await described({ ...npm('', good), ...npm('test/data/', good) });
    expect({ lockFiles, aside, unread }).toEqual({
      lockFiles: ['package-lock.json'],
      aside: ['test/data/package-lock.json'],
      unread: [],
    });
  });

  test('more than may be', async () => {
    const both = { ...npm('a/', good), ...npm('b/', good) };
    const file = 'b/package-lock.json';
    const bytes = good.length * 2 - 1;
    for (const [limits, text] of [
      [{ lockFileBytes: bytes }, `the lock files together have more than ${bytes} bytes`],
      [{ dependencies: 1 }, 'the lock files together name more than 1 dependencies'],
      [{ packages: 1 }, 'the lock files together belong to more than 1 packages'],
    ] as const) {
      const { components, unread } = await described(both, { ...LIMITS, ...limits });
      expect(components).toHaveLength(1);
      expect(unread).toEqual([{ file, text }]);
    }
    const included = {
      'requirements.txt': '-r a.txt\n-r b.txt',
      'a.txt': '#'.repeat(60_000),
      'b.txt': '#'.repeat(60_000),
    };
    expect((await described(included)).unread).toEqual([
      { file: 'requirements.txt', text: 'the lock files together have more than 100000 bytes' },
    ]);
  });

  test('the same package in two places is one component of both', async () => {
    const { components } = await described({ ...npm('a/', good), ...npm('b/', good) });
    expect(told(components)).toEqual([
      {
        purl: 'pkg:npm/a@1.0.0',
        hashes: { sha1: hex('1', 40) },
        lockFiles: ['a/package-lock.json', 'b/package-lock.json'],
      },
    ]);
  });
});
