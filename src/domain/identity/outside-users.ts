import type { Database } from '../database/database.ts';
import { userIdOf } from '../database/sql/user-names.ts';
import { InvalidInputError, UnauthenticatedError } from '../errors.ts';
import { type Principal, SCOPES } from './principal.ts';
import { User } from './user.ts';

const LONGEST = 500;

/**
 * Names that others vouch for: Kerberos principals, subjects of certificates, users whom a representative names. Case
 * counts, and no character has a meaning. Throws InvalidInputError.
 */
export function requireOutsideName(name: string): void {
  if (name === '' || name.length > LONGEST || /[\0-\x1f\x7f]/.test(name) || !name.isWellFormed()) {
    throw new InvalidInputError(`"${name.slice(0, 60)}" is not a valid user name`);
  }
}

/**
 * Somebody whom a proxy, a certificate or a ticket identified: a user who is not known yet is created on the spot
 * (cachito.md 1.2). Throws UnauthenticatedError for a user who is disabled and for what cannot be a name.
 */
export async function outsidePrincipal(database: Database, name: string): Promise<Principal> {
  try {
    requireOutsideName(name);
  } catch (cause) {
    throw new UnauthenticatedError((cause as Error).message, { cause });
  }
  const user = (await findUser(database, name)) ?? (await createUser(database, name));
  if (user.disabledAt !== null) throw new UnauthenticatedError('This user is disabled');
  return { userId: user.id, name, isAdmin: user.isAdmin, scopes: new Set(SCOPES) };
}

async function findUser(database: Database, name: string): Promise<User | null> {
  return await database.em().findOne(User, { name });
}

async function createUser(database: Database, name: string): Promise<User> {
  const id = await userIdOf(database.sql, name);
  return await database.em().findOneOrFail(User, { id });
}
