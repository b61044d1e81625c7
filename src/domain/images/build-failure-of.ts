import { DomainError, InvalidInputError, RequestFailure } from '../errors.ts';
import { BuildFailure, type BuildFailureReason } from './build-failure.ts';
import type { BuildError } from './image-build.ts';

/** How an error ends a build: known ones with their text, anything else masked. */
export function buildFailureOf(error: unknown): BuildError {
  if (error instanceof BuildFailure)
    return { reason: error.code, message: error.message, details: error.details };
  if (error instanceof RequestFailure || error instanceof InvalidInputError) {
    const { reason, ...details } = error.details;
    return { reason: reasonOf(reason), message: error.message, details };
  }
  if (error instanceof DomainError)
    return { reason: 'internal', message: error.message, details: error.details };
  return {
    reason: 'internal',
    message: 'An unknown error occurred; the log of the worker names the cause',
    details: {},
  };
}

/** What cannot be fetched, unpacked or found in a source. */
function reasonOf(reason: unknown): BuildFailureReason {
  return reason === 'dockerfile-not-found' ? reason : 'source-invalid';
}
