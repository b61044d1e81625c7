import { expect, test } from 'vitest';
import {
  ConflictError,
  DomainError,
  ForbiddenError,
  InvalidChecksum,
  InvalidInputError,
  NetworkError,
  NotFoundError,
  UnauthenticatedError,
  ValidationError,
} from '../../src/domain/errors.ts';
import { statusOf } from '../../src/gateway/http-errors.ts';

test.each<[DomainError, number]>([
  [new InvalidInputError('x'), 400],
  [new UnauthenticatedError(), 401],
  [new ForbiddenError('x'), 403],
  [new NotFoundError('x'), 404],
  [new ConflictError('x'), 409],
  // The state forbids it now; that it may work later does not make it a failure of the server.
  [new ConflictError('x', { retryable: true }), 409],
  [new DomainError('precondition-failed', 'x'), 412],
  [new DomainError('range-not-satisfiable', 'x'), 416],
  [new ValidationError('invalid-input', 'x'), 400],
  [new InvalidChecksum('checksum-mismatch', 'x'), 400],
  [new NetworkError('fetch-failed', 'x'), 502],
  [new DomainError('not-implemented', 'x'), 501],
  [new DomainError('database-unavailable', 'x'), 503],
  [new DomainError('anything', 'x', { retryable: true }), 503],
  [new DomainError('damaged', 'x'), 500],
  [new DomainError('constructor', 'x'), 500],
  [new DomainError('__proto__', 'x'), 500],
])('%s has the status %i', (error, status) => {
  expect(statusOf(error)).toBe(status);
});
