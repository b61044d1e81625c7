import { createHash, randomBytes } from 'node:crypto';
import type { Database } from '../database/database.ts';
import { orConflict } from '../database/unique-violation.ts';
import { ConflictError, ForbiddenError, InvalidInputError, NotFoundError } from '../errors.ts';
import { type Principal, requireAdmin, requireScope, SCOPES, type Scope } from './principal.ts';
import { Token } from './token.ts';
import { User } from './user.ts';

/** The secret is returned once and kept only as a hash. */
export async function addToken(
  database: Database,
  input: { userName: string; name: string; scopes?: readonly string[]; expiresAt?: Date | null },
): Promise<{ token: Token; secret: string }> {
  const scopes = [...new Set((input.scopes ?? ['read', 'write']).map(requireKnownScope))];
  if (scopes.length === 0) throw new InvalidInputError('A token needs at least one scope');
  if (!/^[\w.-]{1,100}$/.test(input.name))
    throw new InvalidInputError(`"${input.name}" is not a valid token name`);
  const secret = `stw_${randomBytes(24).toString('base64url')}`;
  const taken = `"${input.userName}" has a token "${input.name}" already`;
  const adding = database.transaction(async ({ em }) => {
    const user = await em.findOne(User, { name: input.userName });
    if (!user) throw new NotFoundError(`There is no user "${input.userName}"`);
    if (await em.findOne(Token, { user, name: input.name })) throw new ConflictError(taken);
    const token = em.create(Token, {
      user,
      name: input.name,
      secretHash: hashSecret(secret),
      scopes,
      expiresAt: input.expiresAt ?? null,
      lastUsedAt: null,
    });
    return { token, secret };
  });
  return await orConflict(taken, adding);
}

/**
 * A token for the principal or, if it is an administrator, for somebody else. Nobody can give more than they have: a
 * token's scopes are among those of the credentials that make it, and it ends no later than a token that makes it.
 */
export async function createOwnToken(
  database: Database,
  principal: Principal,
  userName: string | null,
  input: { name: string; scopes?: readonly string[]; expiresAt?: Date },
): Promise<{ token: Token; secret: string }> {
  requireScope(principal, 'write');
  const owner = tokenOwner(principal, userName);
  const scopes = input.scopes ?? ['read', 'write'];
  const missing = scopes.filter((scope) => isScope(scope) && !principal.scopes.has(scope));
  if (missing.length > 0) {
    throw new ForbiddenError(`These credentials do not have the scope "${missing[0]}" themselves`);
  }
  if (input.expiresAt && input.expiresAt.getTime() <= Date.now()) {
    throw new InvalidInputError('The token would have expired already');
  }
  const expiresAt = await endWithin(database, principal, input.expiresAt ?? null);
  return await addToken(database, { ...input, scopes, expiresAt, userName: owner });
}

/** When a token ends that these credentials make. Throws ForbiddenError. */
async function endWithin(
  database: Database,
  { tokenId }: Principal,
  expiresAt: Date | null,
): Promise<Date | null> {
  const own = tokenId === undefined ? null : await database.em().findOne(Token, tokenId);
  const end = own?.expiresAt ?? null;
  if (end === null || (expiresAt !== null && expiresAt <= end)) return expiresAt;
  if (expiresAt === null) return end;
  throw new ForbiddenError(`This token ends at ${end.toISOString()}, and one that it makes cannot end later`);
}

/** Throws NotFoundError. */
export async function revokeOwnToken(
  database: Database,
  principal: Principal,
  userName: string | null,
  name: string,
): Promise<Token> {
  requireScope(principal, 'write');
  const owner = tokenOwner(principal, userName);
  return await database.transaction(async ({ em }) => {
    const token = await em.findOne(Token, { user: { name: owner }, name });
    if (!token) throw new NotFoundError(`"${owner}" has no token "${name}"`);
    em.remove(token);
    return token;
  });
}

/** By name; of the principal or, for administrators, of somebody else. */
export async function listTokens(
  database: Database,
  principal: Principal,
  userName: string | null,
): Promise<Token[]> {
  requireScope(principal, 'read');
  const owner = tokenOwner(principal, userName);
  return await database.em().find(Token, { user: { name: owner } }, { orderBy: { name: 'asc' } });
}

function tokenOwner(principal: Principal, userName: string | null): string {
  if (userName !== null && userName !== principal.name) requireAdmin(principal);
  return userName ?? principal.name!;
}

/** For those who show the secret: it was good once. */
export async function isExpiredToken(database: Database, secret: string): Promise<boolean> {
  const rows = await database.sql.query('select from tokens where secret_hash = $1 and expires_at <= now()', [
    hashSecret(secret),
  ]);
  return rows.length > 0;
}

export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

function requireKnownScope(name: string): Scope {
  if (!isScope(name)) throw new InvalidInputError(`"${name}" is not a scope; there are ${SCOPES.join(', ')}`);
  return name;
}

function isScope(name: string): name is Scope {
  return SCOPES.some((known) => known === name);
}
