import { describe, expect, test } from 'vitest';
import { readSettings } from '../../../src/domain/config.ts';
import { parseRepositoryUrl } from '../../../src/workers/git/repository-url.ts';

const settings = readSettings({ STOWAGE_GIT_ALLOWED_PROTOCOLS: 'https,ssh,file' });

/** Whatever a client may call a repository: the failure has the contract's text (cachito.md 4.2). */
describe('What no source may be', () => {
  test.each([
    '',
    ' ',
    '-oProxyCommand=x',
    'ssh://-oProxyCommand=x/y',
    'ext::sh -c x',
    'https://git.example:99999/x',
    'http://[::1',
    'a\nb',
    'file:///%zz',
    ...[
      '$(id)',
      '`id`',
      'a;id',
      'a&id',
      "a'b",
      'a"b',
      'a$b',
      'a(b',
      'a*b',
      'a=b',
      'a,b',
      'a%24b',
      'a{b}',
      'a~b',
      'a!b',
    ].flatMap((host) => [
      `ssh://${host}.git.example/x`,
      `ssh://git@git.${host}/x`,
      `git@${host}.git.example:x`,
    ]),
    'file:///%ff',
    'ssh://%ff@git.example/x',
    'git://git.example/x',
    'file://git.example/x',
    `https://git.example/${'a'.repeat(4_000)}`,
    'a'.repeat(1_000_000),
  ])('%s', (repository) => {
    expect(() => parseRepositoryUrl(repository, settings)).toThrow(
      expect.objectContaining({
        name: 'RepositoryAccessError',
        message: 'Cloning the Git repository failed',
        hint: expect.stringMatching(/^The repository ".{0,201}" was refused: /s),
      }),
    );
  });
});

test.each([
  ['ssh://git@git.example:2222/x', 'git.example'],
  ['git@git_1.example:x', 'git_1.example'],
  ['git@bücher.example:x', 'bücher.example'],
  ['https://bücher.example/x', 'xn--bcher-kva.example'],
  ['ssh://[2001:db8::1]/x', '[2001:db8::1]'],
  ['git@[2001:db8::1]:x', '[2001:db8::1]'],
])('the host of %s', (repository, host) => {
  expect(parseRepositoryUrl(repository, settings).host).toBe(host);
});

test('paths of servers are theirs to read', () => {
  expect(parseRepositoryUrl('https://git.example/%ff/x.git', settings)).toMatchObject({
    text: 'https://git.example/%ff/x.git',
    origin: 'git.example/%ff/x',
  });
});
