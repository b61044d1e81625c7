import { DomainError, type DomainErrorOptions } from '../errors.ts';

export const BUILD_FAILURES = [
  'dockerfile-not-found',
  'dockerfile-invalid',
  'base-image-not-found',
  'step-failed',
  'out-of-time',
  'out-of-memory',
  'out-of-disk',
  'push-failed',
  'builder-unavailable',
  'source-invalid',
  'internal',
] as const;
export type BuildFailureReason = (typeof BUILD_FAILURES)[number];

/** Ends a build. The message is for its user; `line` is that of the Dockerfile, from 1, where one is to blame. */
export class BuildFailure extends DomainError {
  declare readonly code: BuildFailureReason;

  constructor(
    reason: BuildFailureReason,
    message: string,
    { line, details = {}, ...options }: DomainErrorOptions & { line?: number } = {},
  ) {
    super(reason, message, { ...options, details: line === undefined ? details : { line, ...details } });
  }
}

/** @param line of the Dockerfile at which the build was; null: it had not come so far */
export function outOfTime(seconds: number, line: number | null, cause?: unknown): BuildFailure {
  const where = line === null ? '' : `; it was at line ${line} of the Dockerfile`;
  return new BuildFailure('out-of-time', `The build took longer than ${seconds} seconds${where}`, {
    ...(line !== null && { line }),
    details: { seconds },
    ...(cause !== undefined && { cause }),
  });
}
