import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EXIT_CODES, exitCodeOf } from '../../src/cli/exit-codes.ts';

test('the numbers are those of prefetch.md section 16', () => {
  expect(EXIT_CODES).toEqual({
    internal: 1,
    'path-outside-root': 3,
    'invalid-input': 4,
    'package-rejected': 5,
    'not-a-git-repository': 6,
    'unexpected-format': 7,
    'unsupported-feature': 8,
    'executable-missing': 9,
    'checksum-mismatch': 10,
    'invalid-checksum': 11,
    'missing-checksum': 12,
    'lockfile-not-found': 13,
    'invalid-lockfile': 14,
    'fetch-failed': 15,
    'package-manager-failed': 16,
    'git-failed': 17,
    'git-remote-missing': 18,
    'bad-revision': 19,
    'unpinned-requirement': 23,
    'invalid-vcs-reference': 24,
  });
});

test.each([
  ['interrupted', 130],
  ['server-unreachable', 1],
  ['database-unavailable', 1],
  ['toString', 1],
])('%s is %i', (code, exitCode) => {
  expect(exitCodeOf(code)).toBe(exitCode);
});

test('docs/exit-codes.md says the same', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/exit-codes.md'), 'utf8');
  const rows = [...page.matchAll(/^\| (\d+) \| `([a-z-]+)` \|/gm)].map(([, number, code]) => [
    code,
    Number(number),
  ]);
  expect(Object.fromEntries(rows)).toEqual({ ...EXIT_CODES, usage: 2, interrupted: 130 });
});
