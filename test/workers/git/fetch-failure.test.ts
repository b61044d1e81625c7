import { describe, expect, test } from 'vitest';
import { readSettings } from '../../../src/domain/config.ts';
import { fetchFailure, unknownRef } from '../../../src/workers/git/fetch-failure.ts';
import { GitFailure } from '../../../src/workers/git/git-command.ts';
import { parseRepositoryUrl } from '../../../src/workers/git/repository-url.ts';

const url = parseRepositoryUrl('ssh://git@git.example/team/app.git', readSettings({}));
const ENDED =
  'fatal: Could not read from remote repository.\n\n' +
  'Please make sure you have the correct access rights\nand the repository exists.\n';

function hintOf(stderr: string): string | null {
  return fetchFailure(url, new GitFailure('fetch', { exitCode: 128, stderr, timedOut: false }), true).hint;
}

describe('the hint of a failed fetch', () => {
  test.each([
    [
      'the other side refused the key',
      `Warning: Permanently added 'git.example'.\r\ngit@git.example: Permission denied (publickey).\r\n${ENDED}`,
      'The repository does not exist or is private: git@git.example: Permission denied (publickey). ' +
        'STOWAGE_GIT_CONFIG can hold credentials.',
    ],
    [
      'no repository at a local path',
      `fatal: '/srv/none' does not appear to be a git repository\n${ENDED}`,
      "fatal: '/srv/none' does not appear to be a git repository",
    ],
    ['nothing was said', ENDED, 'fatal: Could not read from remote repository.'],
    ['warnings come first', 'warning: x\nfatal: early EOF\n', 'fatal: early EOF'],
  ])('%s', (_, stderr, hint) => {
    expect(hintOf(stderr)).toBe(hint);
  });
});

test('a commit that is cut short is told from a name that nobody knows', () => {
  expect(unknownRef('0d8a09a').hint).toBe(
    'Servers know commits by their full id only: give all of its digits, or a branch or tag.',
  );
  expect(unknownRef('nope').hint).toBeNull();
});
