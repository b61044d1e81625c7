import { expect, test } from 'vitest';
import { SigningKeyUnusableError } from '../../../src/domain/bundles/signing-keys.ts';
import { BlobStoreUnavailableError, InvalidInputError, NetworkError } from '../../../src/domain/errors.ts';
import { isServiceFailure } from '../../../src/workers/tasks/service-failure.ts';

const withCode = (code: string) => Object.assign(new Error(code), { code });

test.each([
  ['the blob store is away', new BlobStoreUnavailableError('away'), true],
  ['the key is half written', new SigningKeyUnusableError(new Error('half')), true],
  ['the database stops', withCode('57P01'), true],
  ['a deadlock', withCode('40P01'), true],
  ['a full disk', withCode('ENOSPC'), true],
  ['an upstream is away', new NetworkError('fetch-failed', 'away', { retryable: true }), false],
  ['wrong input', new InvalidInputError('wrong'), false],
  ['a defect', new TypeError('undefined'), false],
])('whether a job is left to be done again: %s', (_title, error, expected) => {
  expect(isServiceFailure(error)).toBe(expected);
});
