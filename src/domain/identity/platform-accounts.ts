import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Database } from '../database/database.ts';
import {
  deletePlatformAccountRow,
  deletePlatformKeyRow,
  findPlatformKey,
  insertPlatformAccount,
  insertPlatformKey,
  listPlatformAccountRows,
  type PlatformAccount,
} from '../database/sql/platform-accounts.ts';
import { orConflict } from '../database/unique-violation.ts';
import { ConflictError, InvalidInputError, NotFoundError, UnauthenticatedError } from '../errors.ts';
import { type Principal, requireAdmin, SCOPES } from './principal.ts';
import { User } from './user.ts';

/**
 * Accounts of other systems (bkrepo-docker.md 2.1): who has a pair of keys says in each call for whom it acts, so an
 * account may do whatever any user may. Only administrators make them.
 */
export interface PlatformCredentials {
  accessKey: string;
  secretKey: string;
  /** For whom the system acts; null: for nobody. */
  userName: string | null;
}

const NOBODY: Principal = { userId: null, name: 'anonymous', isAdmin: false, scopes: new Set(SCOPES) };
/** As those that identity providers vouch for: no character has a meaning. */
const LONGEST_NAME = 200;
const ACCOUNT_NAME = /^[\w.-]{1,100}$/;

/** Users who are not known yet are created. Throws UnauthenticatedError, InvalidInputError for what can be no name. */
export async function platformPrincipal(
  database: Database,
  { accessKey, secretKey, userName }: PlatformCredentials,
): Promise<Principal> {
  const key = accessKey.includes('\0') ? null : await findPlatformKey(database.sql, accessKey);
  // Unknown keys cost as much as wrong ones.
  const isRight = timingSafeEqual(hashOf(secretKey), key?.secretHash ?? Buffer.alloc(32));
  if (!key || !isRight) throw new UnauthenticatedError('Wrong access key');
  if (userName === null) return NOBODY;
  const user = await ensureUser(database, userName);
  if (user.disabledAt !== null) throw new UnauthenticatedError('This user is disabled');
  return { userId: user.id, name: user.name, isAdmin: user.isAdmin, scopes: new Set(SCOPES) };
}

/** The secret is returned once and kept only as a hash. An account may have several pairs, so that they can be changed. */
export async function createPlatformKey(
  database: Database,
  principal: Principal,
  accountName: string,
): Promise<{ account: string; accessKey: string; secretKey: string; createdAt: Date }> {
  requireAdmin(principal);
  const accessKey = randomBytes(16).toString('hex');
  const secretKey = randomBytes(24).toString('base64url');
  const secretHash = hashOf(secretKey);
  const createdAt = await insertPlatformKey(database.sql, { accountName, accessKey, secretHash });
  if (createdAt === null) throw unknownAccount(accountName);
  return { account: accountName, accessKey, secretKey, createdAt };
}

/** It ends at once; the account's other keys stay. Gives the access key. */
export async function deletePlatformKey(
  database: Database,
  principal: Principal,
  key: { accountName: string; accessKey: string },
): Promise<string> {
  requireAdmin(principal);
  if (await deletePlatformKeyRow(database.sql, key)) return key.accessKey;
  throw new NotFoundError(`"${key.accountName.slice(0, LONGEST_NAME)}" has no such access key`);
}

export async function createPlatformAccount(
  database: Database,
  principal: Principal,
  name: string,
): Promise<PlatformAccount> {
  requireAdmin(principal);
  if (!ACCOUNT_NAME.test(name))
    throw new InvalidInputError(`"${name.slice(0, LONGEST_NAME)}" is not a valid name`);
  const taken = `There is an account "${name}" already`;
  return await orConflict(taken, insertPlatformAccount(database.sql, name, principal.userId));
}

/** Its keys end with it. */
export async function deletePlatformAccount(
  database: Database,
  principal: Principal,
  name: string,
): Promise<PlatformAccount> {
  requireAdmin(principal);
  const deleted = await deletePlatformAccountRow(database.sql, name);
  if (!deleted) throw unknownAccount(name);
  return deleted;
}

export async function listPlatformAccounts(
  database: Database,
  principal: Principal,
): Promise<PlatformAccount[]> {
  requireAdmin(principal);
  return await listPlatformAccountRows(database.sql);
}

function unknownAccount(name: string): NotFoundError {
  return new NotFoundError(`There is no account "${name.slice(0, LONGEST_NAME)}"`);
}

async function ensureUser(database: Database, name: string): Promise<User> {
  if (name.length > LONGEST_NAME || /[\0-\x1f\x7f]/.test(name) || !name.isWellFormed()) {
    throw new InvalidInputError('This is not a user name', { details: { parameter: 'X-BKREPO-UID' } });
  }
  const found = await database.em().findOne(User, { name });
  if (found) return found;
  const adding = database.transaction(async ({ em }) =>
    em.create(User, { name, passwordHash: null, disabledAt: null }),
  );
  await orConflict('', adding).catch((error: unknown) => {
    // Another call was first.
    if (!(error instanceof ConflictError)) throw error;
  });
  return await database.em().findOneOrFail(User, { name });
}

function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
