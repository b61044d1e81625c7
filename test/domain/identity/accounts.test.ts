import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../../src/domain/database/database.ts';
import {
  ConflictError,
  InvalidInputError,
  TooManyRequestsError,
  UnauthenticatedError,
} from '../../../src/domain/errors.ts';
import { addUser } from '../../../src/domain/identity/accounts.ts';
import { Authenticator } from '../../../src/domain/identity/authenticate.ts';
import { SCOPES, SYSTEM } from '../../../src/domain/identity/principal.ts';
import { addToken, revokeOwnToken } from '../../../src/domain/identity/tokens.ts';
import { changeUserDetails } from '../../../src/domain/identity/user-details.ts';
import { testDatabase } from '../../support/database.ts';

describe('accounts', () => {
  let database: Database;
  let authenticator: Authenticator;

  beforeAll(async () => {
    database = await testDatabase();
    authenticator = new Authenticator(database);
    await addUser(database, { name: 'ada', password: 'correct horse' });
  });
  afterAll(() => database.close());

  const basic = (user: string, password: string): string =>
    `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

  test('nothing is anonymous', async () => {
    expect(await authenticator.authenticate(undefined)).toMatchObject({
      userId: null,
      name: null,
      isAdmin: false,
    });
  });

  test('a right password gives all scopes', async () => {
    const principal = await authenticator.authenticate(basic('ada', 'correct horse'));
    expect(principal).toMatchObject({ name: 'ada', isAdmin: false });
    expect([...principal.scopes]).toEqual(['read', 'write', 'admin']);
  });

  test.each([
    ['a wrong password', basic('ada', 'wrong horse')],
    ['an unknown user', basic('bob', 'correct horse')],
    ['no colon', `Basic ${Buffer.from('ada').toString('base64')}`],
    ['an unknown token', 'Bearer stw_nothing'],
    ['an unknown scheme', 'Digest x'],
  ])('%s is refused', async (_case, header) => {
    await expect(authenticator.authenticate(header)).rejects.toThrow(UnauthenticatedError);
  });

  test('a token works as Bearer and as password of its user, until it is revoked', async () => {
    const { secret } = await addToken(database, { userName: 'ada', name: 'ci', scopes: ['read'] });
    const principal = await authenticator.authenticate(`Bearer ${secret}`);
    expect(principal.name).toBe('ada');
    expect([...principal.scopes]).toEqual(['read']);
    expect((await authenticator.authenticate(basic('ada', secret))).name).toBe('ada');
    await expect(authenticator.authenticate(basic('eve', secret))).rejects.toThrow(UnauthenticatedError);

    await revokeOwnToken(database, SYSTEM, 'ada', 'ci');
    await expect(authenticator.authenticate(`Bearer ${secret}`)).rejects.toThrow(UnauthenticatedError);
  });

  test('a token that has expired is refused', async () => {
    const { secret } = await addToken(database, {
      userName: 'ada',
      name: 'old',
      expiresAt: new Date(Date.now() - 1000),
    });
    await expect(authenticator.authenticate(`Bearer ${secret}`)).rejects.toThrow(UnauthenticatedError);
  });

  test('the old password is not guessed by who holds a session, however fast', async () => {
    const { id: userId } = await addUser(database, { name: 'sam' });
    const sam = { userId, name: 'sam', isAdmin: false, scopes: new Set(SCOPES) };
    const guess = (number: number) =>
      changeUserDetails(database, sam, 'sam', { password: 'long enough', oldPassword: `guess ${number}` });
    const guesses = await Promise.allSettled(Array.from({ length: 21 }, (_, number) => guess(number)));
    const errors = guesses.map((one) => (one as PromiseRejectedResult).reason as Error);
    expect(errors.filter((error) => error instanceof InvalidInputError)).toHaveLength(20);
    expect(errors.filter((error) => error instanceof TooManyRequestsError)).toHaveLength(1);
  });

  test('names are taken once, bad input is refused', async () => {
    await expect(addUser(database, { name: 'ada', password: 'correct horse' })).rejects.toThrow(
      ConflictError,
    );
    await expect(addUser(database, { name: 'x', password: 'short' })).rejects.toThrow(InvalidInputError);
    await expect(addUser(database, { name: '\n', password: 'long enough' })).rejects.toThrow(
      InvalidInputError,
    );
    await expect(addToken(database, { userName: 'ada', name: 't', scopes: ['root'] })).rejects.toThrow(
      '"root" is not a scope; there are read, write, admin',
    );
  });
});
