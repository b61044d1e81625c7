import {
  InvalidRequestData,
  NetworkError,
  RepositoryAccessError,
  type RequestFailure,
} from '../../domain/errors.ts';
import type { GitFailure } from './git-command.ts';
import type { RepositoryUrl } from './repository-url.ts';

const TRANSIENT = [
  /could not resolve host/i,
  /temporary failure in name resolution/i,
  /connection (?:timed out|refused|reset|was reset|closed)/i,
  /operation timed out/i,
  /failed to connect/i,
  /the remote end hung up/i,
  /early EOF/i,
  /RPC failed/i,
  /GnuTLS recv error/i,
  /unexpected disconnect/i,
  /returned error: (?:408|429|5\d\d)/i,
  /transfer closed/i,
  /empty reply from server/i,
];

/** Whether the same command may well succeed a moment later. */
export function isTransient({ stderr, timedOut }: GitFailure): boolean {
  return !timedOut && TRANSIENT.some((pattern) => pattern.test(stderr));
}

/** The server says that it has no such commit, or that it was not asked for in a way that it allows. */
export function saysUnknownCommit({ stderr }: GitFailure): boolean {
  return /not our ref|couldn't find remote ref|no such remote ref/i.test(stderr);
}

/** The server hands out branches and tags only, or knows no shallow histories. */
export function refusesSingleCommits({ stderr }: GitFailure): boolean {
  return /unadvertised object|does not support (?:shallow|--depth)|dumb http transport/i.test(stderr);
}

export function refusesFilter({ stderr }: GitFailure): boolean {
  return /filter/i.test(stderr);
}

export function isRedirect({ stderr }: GitFailure): boolean {
  return /returned error: 30[12378]|redirect/i.test(stderr);
}

/** A git of an earlier process was killed and left its lock. */
export function leftLock({ stderr }: GitFailure): boolean {
  return /\.lock': File exists/.test(stderr);
}

/** What is in the cache already cannot be read. */
export function saysDamaged({ stderr }: GitFailure): boolean {
  return /is corrupt|unable to unpack|inflate: data stream|packfile .* (?:cannot be|is not|does not|claims)|bad object|index file .* (?:is too|wrong)/i.test(
    stderr,
  );
}

/** The texts of cachito.md 4.2: for a repository that was never fetched from, and for one that was. */
export function fetchFailure(url: RepositoryUrl, error: GitFailure, isFirst: boolean): RequestFailure {
  if (error.timedOut) {
    return new NetworkError('fetch-failed', 'The connection timed out while downloading the source', {
      retryable: true,
      cause: error,
    });
  }
  const reason = lastWords(error);
  const message = isFirst
    ? 'Cloning the Git repository failed'
    : 'Failed to fetch from the remote Git repository';
  return new RepositoryAccessError('git-failed', message, {
    details: { origin: url.origin, reason },
    hint: hintFor(reason),
    retryable: isTransient(error),
    cause: error,
  });
}

const SHORT_COMMIT =
  'Servers know commits by their full id only: give all of its digits, or a branch or tag.';

export function unknownRef(ref: string): InvalidRequestData {
  return new InvalidRequestData(
    'bad-revision',
    `Checking out the Git repository failed. Please verify the supplied reference of "${ref}" is valid.`,
    { details: { ref }, ...(/^[0-9a-f]{4,39}$/i.test(ref) && { hint: SHORT_COMMIT }) },
  );
}

/**
 * What git says last is what went wrong; before it come warnings and progress. Only when the connection ended, git can but
 * say so, and the reason is what the other side said before.
 */
export function lastWords({ stderr, message }: GitFailure): string {
  const lines = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  const end = lines.indexOf('fatal: Could not read from remote repository.');
  if (end > 0) return lines[end - 1]!;
  return lines.findLast((line) => /^(fatal|error|remote):/i.test(line)) ?? lines.at(-1) ?? message;
}

function hintFor(reason: string): string {
  if (
    /could not read (Username|Password)|Authentication failed|Permission denied|returned error: 40[13]/i.test(
      reason,
    )
  ) {
    return `The repository does not exist or is private: ${reason.replace(/\.$/, '')}. STOWAGE_GIT_CONFIG can hold credentials.`;
  }
  return reason;
}
