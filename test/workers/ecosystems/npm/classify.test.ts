import { describe, expect, test } from 'vitest';
import type { RequestFailure } from '../../../../src/domain/errors.ts';
import { classify } from '../../../../src/workers/ecosystems/npm/classify.ts';
import { parseLockFile } from '../../../../src/workers/ecosystems/npm/lock-file.ts';
import type { NpmRegistries } from '../../../../src/workers/javascript-packages/registries.ts';
import { DEFAULT_REGISTRY } from '../../../../src/workers/javascript-packages/registries.ts';

const COMMIT = 'ab'.repeat(20);
const SHA512 = 'cd'.repeat(64);
const INTEGRITY = `sha512-${Buffer.from(SHA512, 'hex').toString('base64')}`;
const registries: NpmRegistries = {
  upstream: 'https://mirror.example/npm/',
  scopes: new Map([['@corp', 'https://corp.example/']]),
  fromSettings: false,
  headersFor: () => ({}),
};

function modern(
  node: Record<string, unknown>,
  location = 'node_modules/dep',
  root: object = {},
  configured = false,
) {
  const document = {
    name: 'x',
    version: '1.0.0',
    lockfileVersion: 3,
    packages: { '': root, [location]: node },
  };
  return classified(document, configured);
}

function old(node: Record<string, unknown>) {
  return classified({ name: 'x', version: '1.0.0', lockfileVersion: 1, dependencies: { dep: node } }, false);
}

function classified(document: object, configuredRegistries: boolean) {
  const lock = parseLockFile('web/package-lock.json', Buffer.from(JSON.stringify(document)));
  return classify(lock, lock.entries[0]!, {
    registries,
    configuredRegistries,
    fileDepsAllowlist: {},
  });
}

describe('kinds and reported versions', () => {
  const git = `git+ssh://git@git.example/ns/repo.git#${COMMIT}`;
  test.for<[string, () => unknown, Record<string, unknown>]>([
    [
      'the public registry',
      () => modern({ version: '1.0.0', resolved: `${DEFAULT_REGISTRY}dep/-/dep-1.0.0.tgz` }),
      { kind: 'registry', version: '1.0.0' },
    ],
    [
      "Yarn's alias",
      () => modern({ version: '1.0.0', resolved: 'https://registry.yarnpkg.com/dep/-/dep-1.0.0.tgz' }),
      { kind: 'registry', version: '1.0.0' },
    ],
    ['no resolved', () => modern({ version: '1.0.0' }), { kind: 'registry', version: '1.0.0' }],
    ['no resolved, version 1', () => old({ version: '1.0.0' }), { kind: 'registry', version: '1.0.0' }],
    ['bundled', () => modern({ version: '1.0.0', inBundle: true }), { kind: 'bundled', version: '1.0.0' }],
    [
      'bundled by the project itself',
      () => modern({ version: '1.0.0', inBundle: true, integrity: INTEGRITY }),
      { kind: 'registry', version: '1.0.0' },
    ],
    [
      'bundled by a workspace',
      () => modern({ version: '1.0.0', inBundle: true, integrity: INTEGRITY }, 'packages/a/node_modules/dep'),
      { kind: 'registry', version: '1.0.0' },
    ],
    [
      'bundled by a dependency',
      () =>
        modern({ version: '1.0.0', inBundle: true, integrity: INTEGRITY }, 'node_modules/a/node_modules/dep'),
      { kind: 'bundled', version: '1.0.0' },
    ],
    [
      'bundled, version 1',
      () => old({ version: '1.0.0', bundled: true }),
      { kind: 'bundled', version: '1.0.0' },
    ],
    [
      'bundled and resolved',
      () =>
        modern({
          version: '1.0.0',
          inBundle: true,
          resolved: `${DEFAULT_REGISTRY}dep/-/dep-1.0.0.tgz`,
        }),
      { kind: 'registry', version: '1.0.0' },
    ],
    [
      'a workspace',
      () => modern({ version: '1.0.0' }, 'packages/dep', { workspaces: ['./packages/*/'] }),
      { kind: 'file', version: 'file:packages/dep', path: 'packages/dep' },
    ],
    [
      'a workspace whose glob begins with a slash',
      () => modern({ version: '1.0.0' }, 'packages/dep', { workspaces: ['/packages/*'] }),
      { kind: 'file', version: 'file:packages/dep' },
    ],
    [
      'a workspace, object form',
      () => modern({ version: '1.0.0' }, 'dep', { workspaces: { packages: ['dep'] } }),
      { kind: 'file', version: 'file:dep' },
    ],
    [
      'a workspace beside the lock file',
      () => modern({ version: '1.0.0' }, '../dep', { workspaces: ['../*'] }),
      { kind: 'file', version: 'file:../dep' },
    ],
    [
      'git over ssh',
      () => modern({ version: '1.0.0', resolved: git }),
      {
        kind: 'git',
        version: git,
        url: 'ssh://git@git.example/ns/repo.git',
        commit: COMMIT,
        shorthand: null,
      },
    ],
    [
      'git with the scp form',
      () => old({ version: `git+ssh://git@git.example:ns/repo.git#${COMMIT}` }),
      { kind: 'git', url: 'ssh://git@git.example/ns/repo.git' },
    ],
    [
      'git with a port',
      () => old({ version: `git+ssh://git@git.example:2222/ns/repo.git#${COMMIT}` }),
      { kind: 'git', url: 'ssh://git@git.example:2222/ns/repo.git' },
    ],
    [
      'git over https',
      () => old({ version: `git+https://git.example/r#${COMMIT}` }),
      { kind: 'git', url: 'https://git.example/r' },
    ],
    [
      'git over http',
      () => old({ version: `git+http://git.example/r#${COMMIT}` }),
      { kind: 'git', url: 'http://git.example/r' },
    ],
    [
      'the git protocol',
      () => old({ version: `git://git.example/r#${COMMIT}` }),
      { kind: 'git', url: 'git://git.example/r' },
    ],
    [
      'a shorthand',
      () => old({ version: `github:ns/repo#${COMMIT}`, from: 'github:ns/repo' }),
      {
        kind: 'git',
        version: `github:ns/repo#${COMMIT}`,
        url: 'https://github.com/ns/repo.git',
        shorthand: { host: 'github', repositoryPath: 'ns/repo' },
      },
    ],
    [
      'a URL',
      () => modern({ version: '1.0.0', resolved: 'https://files.example/dep.tgz', integrity: INTEGRITY }),
      {
        kind: 'http',
        version: 'https://files.example/dep.tgz',
        expected: [{ algorithm: 'sha512', hex: SHA512 }],
      },
    ],
    [
      'a URL with a password',
      () =>
        modern({
          version: '1.0.0',
          resolved: 'https://me:secret@files.example/dep.tgz?token=t',
          integrity: INTEGRITY,
        }),
      {
        kind: 'http',
        version: 'https://***@files.example/dep.tgz?token=***',
        url: 'https://me:secret@files.example/dep.tgz?token=t',
      },
    ],
    [
      'git with a password',
      () => modern({ resolved: `git+https://me:secret@git.example/r#${COMMIT}` }),
      {
        kind: 'git',
        version: `git+https://***@git.example/r#${COMMIT}`,
        url: 'https://me:secret@git.example/r',
      },
    ],
    [
      'a URL, version 1',
      () => old({ version: 'https://files.example/dep.tgz', integrity: INTEGRITY }),
      { kind: 'http', version: 'https://files.example/dep.tgz' },
    ],
    [
      'a private registry under the contract',
      () =>
        modern({ version: '1.0.0', resolved: 'https://mirror.example/npm/dep.tgz', integrity: INTEGRITY }),
      { kind: 'http' },
    ],
    [
      'the configured registry in the own interface',
      () =>
        modern(
          { version: '1.0.0', resolved: 'https://mirror.example/npm/dep.tgz' },
          'node_modules/dep',
          {},
          true,
        ),
      { kind: 'registry' },
    ],
    [
      "a scope's registry in the own interface",
      () =>
        modern(
          { version: '1.0.0', resolved: 'https://corp.example/d.tgz' },
          'node_modules/@corp/d',
          {},
          true,
        ),
      { kind: 'registry' },
    ],
  ])('%s', ([, run, expected]) => {
    expect(run()).toMatchObject(expected);
  });
});

test("'file:' dependencies that the operator allows, by the names of package and dependency", () => {
  const withList = (fileDepsAllowlist: Record<string, string[]>) => () => {
    const document = { name: 'x', version: '1.0.0', dependencies: { dep: { version: 'file:libs/dep' } } };
    const lock = parseLockFile('package-lock.json', Buffer.from(JSON.stringify(document)));
    return classify(lock, lock.entries[0]!, { registries, configuredRegistries: false, fileDepsAllowlist });
  };
  expect(withList({ x: ['other', 'dep'] })()).toMatchObject({ kind: 'file', version: 'file:libs/dep' });
  for (const list of [{}, { x: ['other'] }, { y: ['dep'] }]) {
    expect(withList(list)).toThrow("dep@file:libs/dep is a 'file:' dependency.");
  }
});

describe('integrity', () => {
  const of = (integrity: string) =>
    modern({ version: '1.0.0', integrity }).expected.map(
      ({ algorithm, hex }) => `${algorithm}:${hex.slice(0, 4)}`,
    );
  const sri = (algorithm: string, byte: number, bytes: number) =>
    `${algorithm}-${Buffer.alloc(bytes, byte).toString('base64')}`;

  test('all digests of the strongest algorithm, of which any may match', () => {
    expect(of(`${sri('sha1', 1, 20)} ${sri('sha512', 2, 64)} ${sri('sha512', 3, 64)}`)).toEqual([
      'sha512:0202',
      'sha512:0303',
    ]);
    expect(of(sri('sha1', 1, 20))).toEqual(['sha1:0101']);
    expect(of(`sha512-short ${sri('sha256', 4, 32)}`)).toEqual(['sha256:0404']);
    expect(of('')).toEqual([]);
  });

  test.for(['garbage', 'sha999-AAAA', 'sha512-AAAA', '__proto__-AAAA', 'sha1-'])(
    '%s is refused',
    (integrity) => {
      expect(() => of(integrity)).toThrow(
        `The integrity value of the dependency dep@1.0.0 is not valid: ${JSON.stringify(integrity)}`,
      );
    },
  );
});

describe('refusals', () => {
  const fileText = (name: string, path: string) =>
    `${name}@file:${path} is a 'file:' dependency. File dependencies are allowed if: a) the dependency is declared as a workspace in package.json or b) the dependency is present in the server-side allowlist.`;
  const gitText = (source: string) =>
    `The url for the dependency dep@${source} was in an unexpected format (expected <git_url>#<commit_hash>)`;
  const placeText = (source: string) => `The dependency dep@${source} is hosted in an unsupported location`;
  const missingText = (source: string) =>
    `The dependency dep@${source} is missing the integrity value. Is the "integrity" key missing in your lockfile?`;

  test.for<[string, () => unknown, string, string]>([
    [
      'a folder that is no workspace',
      () => modern({ version: '1.0.0' }, 'libs/dep'),
      'InvalidRepoStructure',
      fileText('dep', 'libs/dep'),
    ],
    [
      'a folder of version 1',
      () => old({ version: 'file:libs/dep' }),
      'InvalidRepoStructure',
      fileText('dep', 'libs/dep'),
    ],
    [
      'a workspace outside the source',
      () => modern({ version: '1.0.0' }, '../../dep', { workspaces: ['../../*'] }),
      'InvalidRepoStructure',
      fileText('dep', '../../dep'),
    ],
    [
      'an absolute workspace',
      () => modern({ version: '1.0.0', resolved: 'file:/etc' }, 'node_modules/dep', { workspaces: ['/*'] }),
      'InvalidRepoStructure',
      fileText('dep', '/etc'),
    ],
    [
      'git without a commit',
      () => old({ version: 'git://git.example/r' }),
      'InvalidFileFormat',
      gitText('git://git.example/r'),
    ],
    [
      'git with a branch',
      () => old({ version: 'github:ns/r#main' }),
      'InvalidFileFormat',
      gitText('github:ns/r#main'),
    ],
    [
      'git with a short commit',
      () => old({ version: 'github:ns/r#abcdef0' }),
      'InvalidFileFormat',
      gitText('github:ns/r#abcdef0'),
    ],
    [
      'a URL without integrity',
      () => old({ version: 'https://f.example/d.tgz' }),
      'InvalidFileFormat',
      missingText('https://f.example/d.tgz'),
    ],
    ['subversion', () => old({ version: 'svn://x/y' }), 'UnsupportedFeature', placeText('svn://x/y')],
    [
      'a local git path',
      () => old({ version: `git+file:///x#${COMMIT}` }),
      'UnsupportedFeature',
      placeText(`git+file:///x#${COMMIT}`),
    ],
    ['a tag for a version', () => old({ version: 'latest' }), 'UnsupportedFeature', placeText('latest')],
    ['no version', () => modern({}), 'UnsupportedFeature', placeText('')],
    [
      'a version with separators',
      () => modern({ version: '1.0.0/../../x', resolved: `${DEFAULT_REGISTRY}d.tgz` }),
      'UnsupportedFeature',
      placeText(`${DEFAULT_REGISTRY}d.tgz`),
    ],
  ])('%s', ([, run, type, message]) => {
    let error: RequestFailure | null = null;
    try {
      run();
    } catch (thrown) {
      error = thrown as RequestFailure;
    }
    expect(error?.message).toBe(message);
    expect([error?.name, error?.origin]).toEqual([type, 'client']);
  });
});
