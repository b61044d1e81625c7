import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rubygems } from '../../../../src/workers/ecosystems/rubygems/index.ts';
import { type GemServer, makeGem, startGemServer } from '../../../support/gem-server.ts';
import { gemfileLock, gitSection, pathSection } from '../../../support/gemfile-lock.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';
import { type ResolveContextOptions, resolveContext } from '../../../support/resolve-context.ts';

const GIT_URL = 'https://git.example/team/tool.git';
const COMMIT = 'ab'.repeat(20);

let server: GemServer;

beforeAll(async () => {
  server = await startGemServer([
    makeGem('plain', '1.0'),
    makeGem('other-inside', '1.0'),
    { ...makeGem('renamed', '1.0'), name: 'wrong-name' },
    { ...makeGem('changed', '2.0'), version: '1.0' },
    { ...makeGem('native', '1.0', { platform: 'java' }) },
    makeGem('republished', '1.0', { sha256: 'ab'.repeat(32) }),
  ]);
});
afterAll(() => server.close());

type Files = Parameters<typeof memorySourceTree>[0];

async function refusal(files: Files, options: Partial<ResolveContextOptions> = {}) {
  const { context } = resolveContext({
    source: memorySourceTree(files),
    settings: { rubygemsSource: server.url },
    request: { rules: 'cachito' },
    ...options,
  });
  const error = await rubygems.resolve(context).then(
    () => null,
    (reason: Error & { code?: string }) => reason,
  );
  return error && { type: error.name, code: error.code, message: error.message };
}

const lock = (parts: Parameters<typeof gemfileLock>[0] = {}): Files => ({
  'Gemfile.lock': gemfileLock(parts),
});
const git = (remote: string, options: Record<string, string>): Files =>
  lock({ sections: [gitSection(remote, options, ['tool (1.0)'])] });
const path = (remote: string, more: Files = {}): Files => ({
  ...lock({ sections: [pathSection(remote, ['own (1.0)'])] }),
  ...more,
});

const missing = 'Gemfile.lock at path Gemfile.lock does not exist or is not a regular file.';
const platforms = 'PLATFORMS section of Gemfile.lock has to contain one and only platform - ruby.';
const remotes = 'Cachito supports only https://rubygems.org/ as a remote for Ruby GEM dependencies.';
const https = 'All Ruby GIT dependencies have to use HTTPS protocol.';
const noRef = (got: string) => `No git ref for gem: tool (expected 40 hexadecimal characters, got: ${got}).`;
const unsupported = 'Gemfile.lock contains unsupported dependency type.';
const exists = 'Cachito wants to create a config file at location .bundle/config, but it already exists.';

describe('the texts of the contract', () => {
  test.each<[string, Files, string, string]>([
    ['no lock file', { Gemfile: '' }, 'lockfile-not-found', missing],
    ['a directory', { 'Gemfile.lock/x': '' }, 'lockfile-not-found', missing],
    ['a link to nothing', { 'Gemfile.lock': { link: 'gone' } }, 'lockfile-not-found', missing],
    ['no platforms', { 'Gemfile.lock': '' }, 'unsupported-feature', platforms],
    ['another platform', lock({ platforms: ['java'] }), 'unsupported-feature', platforms],
    ['two platforms', lock({ platforms: ['ruby', 'x86_64-linux'] }), 'unsupported-feature', platforms],
    ['ruby twice', lock({ platforms: ['ruby', 'ruby'] }), 'unsupported-feature', platforms],
    [
      'another registry',
      lock({ gems: ['plain (1.0)'], remote: 'https://gems.example/' }),
      'unsupported-feature',
      remotes,
    ],
    [
      'the registry over http',
      lock({ gems: ['plain (1.0)'], remote: 'http://rubygems.org/' }),
      'unsupported-feature',
      remotes,
    ],
    [
      'a host that looks like it',
      lock({ gems: ['plain (1.0)'], remote: 'https://rubygems.org.example/' }),
      'unsupported-feature',
      remotes,
    ],
    [
      'one of two registries',
      lock({ gems: ['plain (1.0)'], remote: 'https://rubygems.org/\n  remote: https://gems.example/' }),
      'unsupported-feature',
      remotes,
    ],
    [
      'git over ssh',
      git('git@git.example:team/tool.git', { revision: COMMIT }),
      'invalid-vcs-reference',
      https,
    ],
    ['git over http', git('http://git.example/tool', { revision: COMMIT }), 'invalid-vcs-reference', https],
    ['git over nothing', git('https://', { revision: COMMIT }), 'invalid-vcs-reference', https],
    ['an option', git('--upload-pack=x', { revision: COMMIT }), 'invalid-vcs-reference', https],
    ['no revision', git(GIT_URL, {}), 'invalid-vcs-reference', noRef('None')],
    ['a short revision', git(GIT_URL, { revision: 'abc123' }), 'invalid-vcs-reference', noRef('abc123')],
    ['a branch', git(GIT_URL, { revision: 'main' }), 'invalid-vcs-reference', noRef('main')],
    [
      'a missing path',
      path('engines/none'),
      'invalid-lockfile',
      'PATH dependency own references a non-existing path: engines/none.',
    ],
    [
      'a loop',
      path('engines/own', { 'engines/own': { link: 'own' } }),
      'invalid-lockfile',
      'Path of PATH dependency own contains an infinite loop: engines/own.',
    ],
    ['a path above', path('../own'), 'path-outside-root', '../own is not a subpath of .'],
    ['an absolute path', path('/etc'), 'path-outside-root', '/etc is not a subpath of .'],
    [
      'a link that leaves',
      path('own', { own: { link: '../../secret' } }),
      'path-outside-root',
      'own is not a subpath of .',
    ],
    [
      'a plugin',
      lock({ sections: ['PLUGIN SOURCE\n  remote: x\n  type: y\n  specs:\n    a (1.0)\n'] }),
      'unsupported-feature',
      unsupported,
    ],
    [
      'a section with gems of the future',
      lock({ sections: ['HG\n  remote: x\n  specs:\n    a (1.0)\n'] }),
      'unsupported-feature',
      unsupported,
    ],
    ['own settings', { ...lock(), '.bundle/config': '---\n' }, 'package-rejected', exists],
  ])('%s', async (_, files, code, message) => {
    expect(await refusal(files)).toEqual({ type: 'ValidationError', code, message });
  });

  test('paths are told from the root of the source', async () => {
    const packages = [{ path: 'web/site' }];
    expect(await refusal({ 'web/x': '' }, { packages })).toMatchObject({
      message: 'Gemfile.lock at path web/site/Gemfile.lock does not exist or is not a regular file.',
    });
    const files = { 'web/site/Gemfile.lock': gemfileLock({}), 'web/site/.bundle/config': '' };
    expect(await refusal(files, { packages })).toMatchObject({
      message:
        'Cachito wants to create a config file at location web/site/.bundle/config, but it already exists.',
    });
  });

  test('the first problem of the file is told', async () => {
    const files = lock({
      sections: [gitSection('git://git.example/x', {}, ['tool (1.0)']), pathSection('none', ['own (1.0)'])],
      gems: ['plain (1.0)'],
      remote: 'https://gems.example/',
    });
    expect(await refusal(files)).toMatchObject({ message: https });
    expect(
      await refusal({ ...files, 'Gemfile.lock': `${String(files['Gemfile.lock'])}\nPLATFORMS\n  java\n` }),
    ).toMatchObject({ message: platforms });
  });
});

describe('what has no text in the contract', () => {
  test.each<[string, Files, string, string]>([
    [
      'a gem for one platform',
      lock({ gems: ['plain (1.0-java)'] }),
      'unsupported-feature',
      'The gem plain (1.0-java) is made for one platform; only those for ruby are supported.',
    ],
    ...(['tag', 'ref'] as const).map((option): [string, Files, string, string] => [
      `a ${option} that climbs`,
      git(GIT_URL, { revision: COMMIT, [option]: 'refs/../../hooks/x' }),
      'invalid-vcs-reference',
      `The ${option} "refs/../../hooks/x" of the gem tool is not valid.`,
    ]),
    ...['../x', '-x', 'a..b', 'a.lock', 'a b', '.git', '/x', 'a//b', 'a\\b', '@{1}'].map(
      (branch): [string, Files, string, string] => [
        `the branch ${branch}`,
        git(GIT_URL, { revision: COMMIT, branch }),
        'invalid-vcs-reference',
        `The branch ${JSON.stringify(branch)} of the gem tool is not valid.`,
      ],
    ),
    [
      'a file that is another gem',
      lock({ gems: ['wrong-name (1.0)'] }),
      'package-rejected',
      'The file wrong-name-1.0.gem is not that gem: it holds renamed (1.0)',
    ],
    [
      'a file of another version',
      lock({ gems: ['changed (1.0)'] }),
      'package-rejected',
      'The file changed-1.0.gem is not that gem: it holds changed (2.0)',
    ],
    [
      'a file for another platform',
      lock({ gems: ['native (1.0)'] }),
      'package-rejected',
      'The file native-1.0.gem is not that gem: it holds native (1.0-java)',
    ],
  ])('%s', async (_, files, code, message) => {
    expect(await refusal(files)).toEqual({ type: 'ValidationError', code, message });
  });

  test('a checksum of the lock that the file does not have', async () => {
    const files = lock({ gems: ['plain (1.0)'], checksums: [`plain (1.0) sha256=${'ab'.repeat(32)}`] });
    expect(await refusal(files)).toEqual({
      type: 'InvalidChecksum',
      code: 'checksum-mismatch',
      message: `The file plain-1.0.gem has an unexpected checksum value, expected ${'ab'.repeat(32)} but computed ${server.digest('plain')}`,
    });
  });

  test('a checksum of the registry that the file does not have', async () => {
    expect(await refusal(lock({ gems: ['republished (1.0)'] }))).toMatchObject({
      type: 'InvalidChecksum',
      code: 'checksum-mismatch',
    });
  });

  test('a version that the registry does not have', async () => {
    expect(await refusal(lock({ gems: ['plain (9.9)'] }))).toEqual({
      type: 'NetworkError',
      code: 'fetch-failed',
      message: `The registry has no version 9.9: ${server.url}`,
    });
  });

  test('a commit that cannot be fetched', async () => {
    expect(await refusal(git(GIT_URL, { revision: COMMIT }))).toMatchObject({
      type: 'RepositoryAccessError',
    });
  });

  test.each(['.git/config', 'lib/.GIT/hooks/post-checkout', 'git~1/x', '.git'])(
    'a git dependency that brings a git directory: %s',
    async (name) => {
      const trees = { [`${GIT_URL}#${COMMIT}`]: memorySourceTree({ 'a.txt': '', [name]: '' }) };
      expect(await refusal(git(GIT_URL, { revision: COMMIT }), { trees })).toEqual({
        type: 'ValidationError',
        code: 'package-rejected',
        message: `The path ${name} would lie in the git directory`,
      });
    },
  );

  test.each([
    [
      'https://git.example/.GIT/hooks/x',
      'The repository https://git.example/.GIT/hooks/x has no usable path',
    ],
    ['https://git.example/a/%2e%2e%2f%2e%2e/x', 'The name ".." cannot be part of a path'],
    ['https://git.example/a%00b/x', 'The name "a\\u0000b" cannot be part of a path'],
  ])('a repository that would lie elsewhere: %s', async (url, message) => {
    const trees = { [`${url}#${COMMIT}`]: memorySourceTree({ 'a.txt': '' }) };
    const found = await refusal(git(url, { revision: COMMIT }), { trees });
    expect(found).toMatchObject({ type: 'ValidationError', code: 'path-outside-root' });
    expect(found!.message).toContain(message);
  });

  test('strict integrity', async () => {
    const request = { strictIntegrity: true };
    expect(await refusal(lock({ gems: ['plain (1.0)'] }), { request })).toEqual({
      type: 'ValidationError',
      code: 'missing-checksum',
      message: 'The gem plain (1.0) has no checksum in Gemfile.lock',
    });
    const checksums = [`plain (1.0) sha256=${server.digest('plain')}`];
    expect(await refusal(lock({ gems: ['plain (1.0)'], checksums }), { request })).toBeNull();
  });

  test('more than the limits allow', async () => {
    const { settings } = resolveContext({ source: memorySourceTree({}) }).context;
    const limited = (limits: Partial<typeof settings.limits>) => ({
      settings: { rubygemsSource: server.url, limits: { ...settings.limits, ...limits } },
    });
    const files = lock({ gems: ['plain (1.0)', 'other-inside (1.0)'] });
    expect(await refusal(files, limited({ dependencies: 1 }))).toMatchObject({
      code: 'invalid-lockfile',
      message: 'The lock files name 2 dependencies, more than 1',
    });
    expect(await refusal(files, limited({ lockFileBytes: 10 }))).toMatchObject({
      code: 'invalid-lockfile',
      message: 'The file Gemfile.lock is larger than 10 bytes',
    });
  });
});
