import { GraphQLError } from 'graphql';
import { expect, test } from 'vitest';
import { NotFoundError } from '../../../src/domain/errors.ts';
import { maskError } from '../../../src/gateway/graphql/mask-error.ts';

test.each<[unknown, code: string, isLogged: boolean]>([
  [new NotFoundError('There is none'), 'not-found', false],
  [Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }), 'database-unavailable', false],
  [Object.assign(new Error('terminating connection'), { code: '57P01' }), 'database-unavailable', false],
  [Object.assign(new Error('no space left'), { code: 'ENOSPC' }), 'blob-store-unavailable', false],
  [new TypeError('a defect'), 'internal', true],
])('%s has the code %s', (originalError, code, isLogged) => {
  const logged: unknown[] = [];
  const mask = maskError({ error: (...fields: unknown[]) => void logged.push(fields) });
  const masked = mask(new GraphQLError('x', { originalError: originalError as Error }));
  expect([masked.extensions.code, logged.length > 0]).toEqual([code, isLogged]);
});
