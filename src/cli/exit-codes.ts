import type { FailureCode } from '../domain/errors.ts';

/**
 * Exit codes of every command (prefetch.md section 16): the numbers of the tool that scripts may come from, where the
 * meaning is the same. Documented in docs/exit-codes.md; a test compares the two.
 */
export const EXIT_CODES: Readonly<Record<FailureCode, number>> = {
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
};

export const EXIT_OK = 0;
/** Defects, an unreachable server or database, a missing right: everything without a number of its own. */
export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;
export const EXIT_INTERRUPTED = 130;

/** The exit code of a DomainError's code. */
export function exitCodeOf(code: string): number {
  if (code === 'interrupted') return EXIT_INTERRUPTED;
  return Object.hasOwn(EXIT_CODES, code) ? EXIT_CODES[code as FailureCode] : EXIT_FAILURE;
}
