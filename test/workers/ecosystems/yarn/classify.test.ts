import { describe, expect, test } from 'vitest';
import type { RequestFailure } from '../../../../src/domain/errors.ts';
import { classify } from '../../../../src/workers/ecosystems/yarn/classify.ts';
import { parseLockFile } from '../../../../src/workers/ecosystems/yarn/lock-file.ts';
import { readProject } from '../../../../src/workers/ecosystems/yarn/project.ts';
import {
  DEFAULT_REGISTRY,
  type NpmRegistries,
} from '../../../../src/workers/javascript-packages/registries.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';

const COMMIT = 'ab'.repeat(20);
const SHA1 = 'ef'.repeat(20);
const SHA512 = 'cd'.repeat(64);
const INTEGRITY = `sha512-${Buffer.from(SHA512, 'hex').toString('base64')}`;
const YARN_REGISTRY = 'https://registry.yarnpkg.com/';
const registries: NpmRegistries = {
  upstream: 'https://mirror.example/npm/',
  scopes: new Map([['@corp', 'https://corp.example/']]),
  fromSettings: false,
  headersFor: () => ({}),
};

interface Circumstances {
  workspaces?: unknown;
  allowlist?: Record<string, string[]>;
  configured?: boolean;
}

/** The one block of a lock file at `web/yarn.lock`. */
async function classified(keys: string, fields: Record<string, string>, more: Circumstances = {}) {
  const { workspaces, allowlist = {}, configured = false } = more;
  const lines = Object.entries(fields).map(([name, value]) => `  ${name} ${JSON.stringify(value)}\n`);
  const lock = parseLockFile('web/yarn.lock', Buffer.from(`${keys}:\n${lines.join('')}`), 10);
  const source = memorySourceTree({
    'web/package.json': JSON.stringify({ name: 'app', version: '1.0.0', workspaces }),
  });
  const files = { directory: 'web', lockFile: 'web/yarn.lock', manifest: 'web/package.json' };
  const project = await readProject(source, files, 1_000_000);
  return classify(
    project,
    { ...lock.entries[0]!, dev: false },
    { registries, configuredRegistries: configured, fileDepsAllowlist: allowlist },
  );
}

describe('kinds and reported versions', () => {
  const git = `git+ssh://git@git.example/ns/repo.git#${COMMIT}`;
  test.for<[string, Parameters<typeof classified>, Record<string, unknown>]>([
    [
      "Yarn's registry, verified by integrity",
      [
        'dep@^1',
        { version: '1.0.0', resolved: `${YARN_REGISTRY}dep/-/dep-1.0.0.tgz#${SHA1}`, integrity: INTEGRITY },
      ],
      { kind: 'registry', version: '1.0.0', expected: [{ algorithm: 'sha512', hex: SHA512 }] },
    ],
    [
      "npm's registry, verified by the URL",
      [
        'dep@^1',
        { version: '1.0.0', resolved: `${DEFAULT_REGISTRY}dep/-/dep-1.0.0.tgz#${SHA1.toUpperCase()}` },
      ],
      { kind: 'registry', version: '1.0.0', expected: [{ algorithm: 'sha1', hex: SHA1 }] },
    ],
    [
      'no digest at all',
      ['dep@^1', { version: '1.0.0', resolved: `${YARN_REGISTRY}dep/-/dep-1.0.0.tgz#notsha1` }],
      { kind: 'registry', version: '1.0.0', expected: [] },
    ],
    [
      'an alias',
      ['"a@npm:b@^1.0.0"', { version: '1.0.0', resolved: `${YARN_REGISTRY}b/-/b-1.0.0.tgz#${SHA1}` }],
      { kind: 'registry', version: '1.0.0', entry: { name: 'b' } },
    ],
    [
      'a scoped alias',
      [
        '"@x/a@npm:@y/b@^1.0.0"',
        { version: '1.0.0', resolved: `${YARN_REGISTRY}@y/b/-/b-1.0.0.tgz#${SHA1}` },
      ],
      { kind: 'registry', entry: { name: '@y/b' } },
    ],
    [
      'a folder',
      ['"dep@file:./libs/dep"', { version: '1.0.0' }, { allowlist: { app: ['dep'] } }],
      { kind: 'file', version: 'file:./libs/dep', path: 'libs/dep' },
    ],
    [
      'a link',
      ['"dep@link:../dep"', { version: '0.0.0', uid: '' }, { allowlist: { app: ['dep'] } }],
      { kind: 'file', version: 'file:../dep' },
    ],
    [
      'a relative folder that is a workspace',
      ['"dep@./packages/dep/"', { version: '1.0.0' }, { workspaces: ['packages/*'] }],
      { kind: 'file', version: 'file:./packages/dep/', path: 'packages/dep' },
    ],
    [
      'a workspace, object form',
      ['"dep@file:dep"', { version: '1.0.0' }, { workspaces: { packages: ['dep'], nohoist: ['**'] } }],
      { kind: 'file', version: 'file:dep' },
    ],
    [
      'a tarball of the source',
      [
        '"dep@file:../dep.tgz"',
        { version: '1.0.0', resolved: `file:../dep.tgz#${SHA1}` },
        { allowlist: { app: ['dep'] } },
      ],
      { kind: 'file', version: 'file:../dep.tgz' },
    ],
    [
      'git over ssh',
      [`"dep@${git}"`, { version: '1.0.0', resolved: git }],
      {
        kind: 'git',
        version: git,
        url: 'ssh://git@git.example/ns/repo.git',
        commit: COMMIT,
        shorthand: null,
      },
    ],
    [
      'git over https, as yarn writes what ends in .git',
      ['dep@ns/repo', { version: '1.0.0', resolved: `https://git.example/ns/repo.git#${COMMIT}` }],
      {
        kind: 'git',
        version: `https://git.example/ns/repo.git#${COMMIT}`,
        url: 'https://git.example/ns/repo.git',
        commit: COMMIT,
      },
    ],
    [
      'a shorthand',
      ['dep@ns/repo', { version: '1.0.0', resolved: `github:ns/repo#${COMMIT}` }],
      {
        kind: 'git',
        version: `github:ns/repo#${COMMIT}`,
        shorthand: { host: 'github', repositoryPath: 'ns/repo' },
      },
    ],
    [
      'a URL with integrity',
      [
        '"dep@https://f.example/d.tgz"',
        { version: '1.0.0', resolved: 'https://f.example/d.tgz', integrity: INTEGRITY },
      ],
      { kind: 'http', version: 'https://f.example/d.tgz', expected: [{ algorithm: 'sha512', hex: SHA512 }] },
    ],
    [
      'a URL with a digest',
      ['"dep@https://f.example/d.tgz"', { version: '1.0.0', resolved: `https://f.example/d.tgz#${SHA1}` }],
      {
        kind: 'http',
        version: `https://f.example/d.tgz#${SHA1}`,
        url: 'https://f.example/d.tgz',
        expected: [{ algorithm: 'sha1', hex: SHA1 }],
      },
    ],
    [
      'a URL with a password',
      ['dep@1', { version: '1.0.0', resolved: `https://me:secret@f.example/d.tgz#${SHA1}` }],
      {
        kind: 'http',
        version: `https://***@f.example/d.tgz#${SHA1}`,
        url: 'https://me:secret@f.example/d.tgz',
      },
    ],
    [
      'a private registry under the contract',
      ['dep@1', { version: '1.0.0', resolved: `https://mirror.example/npm/dep.tgz#${SHA1}` }],
      { kind: 'http' },
    ],
    [
      'the configured registry in the own interface',
      [
        'dep@1',
        { version: '1.0.0', resolved: `https://mirror.example/npm/dep.tgz#${SHA1}` },
        { configured: true },
      ],
      { kind: 'registry', version: '1.0.0' },
    ],
    [
      "a scope's registry in the own interface",
      [
        '"@corp/d@1"',
        { version: '1.0.0', resolved: `https://corp.example/d.tgz#${SHA1}` },
        { configured: true },
      ],
      { kind: 'registry' },
    ],
  ])('%s', async ([, args, expected]) => {
    expect(await classified(...args)).toMatchObject(expected);
  });
});

describe('refusals', () => {
  const fileText = (path: string) =>
    `dep@file:${path} is a 'file:' dependency. File dependencies are allowed if: a) the dependency is declared as a workspace in package.json or b) the dependency is present in the server-side allowlist.`;
  const gitText = (source: string) =>
    `The url for the dependency dep@${source} was in an unexpected format (expected <git_url>#<commit_hash>)`;
  const placeText = (source: string) => `The dependency dep@${source} is hosted in an unsupported location`;
  const formatText = (what: string) => `The lock file yarn.lock has an unexpected format (${what})`;

  test.for<[string, Parameters<typeof classified>, string, string]>([
    [
      'no source',
      ['dep@^1', { version: '1.0.0' }],
      'InvalidRequestData',
      'The dependency dep@1.0.0 has no source',
    ],
    [
      'an empty source',
      ['dep@^1', { version: '1.0.0', resolved: '' }],
      'InvalidRequestData',
      'The dependency dep@1.0.0 has no source',
    ],
    ['a folder', ['"dep@file:dep"', { version: '1.0.0' }], 'InvalidRepoStructure', fileText('dep')],
    [
      'a folder without protocol',
      ['dep@../dep', { version: '1.0.0' }],
      'InvalidRepoStructure',
      fileText('../dep'),
    ],
    [
      'an absolute folder',
      ['dep@/etc', { version: '1.0.0' }, { workspaces: ['/etc'] }],
      'InvalidRepoStructure',
      fileText('/etc'),
    ],
    ['a drive', ['"dep@C:\\\\x"', { version: '1.0.0' }], 'InvalidRepoStructure', fileText('C:\\x')],
    [
      'a folder outside that a glob names',
      ['dep@../dep', { version: '1.0.0' }, { workspaces: ['../*'] }],
      'InvalidRepoStructure',
      fileText('../dep'),
    ],
    [
      'what another package may have',
      ['dep@./dep', { version: '1.0.0' }, { allowlist: { other: ['dep'], app: ['x'] } }],
      'InvalidRepoStructure',
      fileText('./dep'),
    ],
    [
      'git without a commit',
      ['dep@1', { version: '1.0.0', resolved: 'git+https://git.example/r.git#main' }],
      'InvalidFileFormat',
      gitText('git+https://git.example/r.git#main'),
    ],
    [
      'a URL without digest',
      ['dep@1', { version: '1.0.0', resolved: 'https://f.example/d.tgz' }],
      'InvalidFileFormat',
      'The dependency dep@https://f.example/d.tgz is missing the integrity value. Is the "integrity" key missing in your lockfile?',
    ],
    [
      "a host's archive of a commit",
      ['dep@ns/r', { version: '1.0.0', resolved: `https://codeload.example/ns/r/tar.gz/${COMMIT}` }],
      'InvalidFileFormat',
      `The dependency dep@https://codeload.example/ns/r/tar.gz/${COMMIT} is missing the integrity value. Is the "integrity" key missing in your lockfile?`,
    ],
    [
      'a file of an offline mirror',
      ['dep@1', { version: '1.0.0', resolved: `dep-1.0.0.tgz#${SHA1}` }],
      'UnsupportedFeature',
      placeText(`dep-1.0.0.tgz#${SHA1}`),
    ],
    [
      'subversion',
      ['dep@1', { version: '1.0.0', resolved: 'svn://x/y' }],
      'UnsupportedFeature',
      placeText('svn://x/y'),
    ],
    [
      'an integrity that is none',
      ['dep@1', { version: '1.0.0', resolved: `${YARN_REGISTRY}dep.tgz`, integrity: 'sha512-AAAA' }],
      'InvalidChecksum',
      `The integrity value of the dependency dep@${YARN_REGISTRY}dep.tgz is not valid: "sha512-AAAA"`,
    ],
    [
      'no version',
      ['dep@1', { resolved: `${YARN_REGISTRY}dep.tgz` }],
      'ValidationError',
      formatText("'dep@1' has no version"),
    ],
    [
      'a version with separators',
      ['dep@1', { version: '1.0.0/../x', resolved: `${YARN_REGISTRY}dep.tgz` }],
      'ValidationError',
      formatText("'dep@1' has no valid version"),
    ],
    [
      'a name that climbs',
      ['"../x@1"', { version: '1.0.0' }],
      'ValidationError',
      formatText('invalid package name in "../x@1"'),
    ],
    [
      'an alias that climbs',
      ['"x@npm:../y@1"', { version: '1.0.0' }],
      'ValidationError',
      formatText('invalid package name in "x@npm:../y@1"'),
    ],
    [
      'a name with a control character',
      ['"x\\u0000@1"', { version: '1.0.0' }],
      'ValidationError',
      formatText('invalid package name in "x\\u0000@1"'),
    ],
    [
      'two packages in one entry',
      ['a@1, b@1', { version: '1.0.0' }],
      'ValidationError',
      formatText('a and b have one entry'),
    ],
    [
      'a version with a line break',
      ['dep@1', { version: '1\n2' }],
      'ValidationError',
      formatText("'version' of 'dep@1' is not text"),
    ],
  ])('%s', async ([, args, type, message]) => {
    const failure = (await classified(...args).catch((error) => error)) as RequestFailure;
    expect([failure.name, failure.message]).toEqual([type, message]);
  });
});
