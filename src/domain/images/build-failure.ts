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

export function outOfTime(seconds: number, cause?: unknown): BuildFailure {
  return new BuildFailure('out-of-time', `The build took longer than ${seconds} seconds`, {
    details: { seconds },
    ...(cause !== undefined && { cause }),
  });
}
