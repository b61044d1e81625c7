import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from '../config.ts';
import type { Database } from '../database/database.ts';
import { ConflictError, InvalidInputError, NotFoundError } from '../errors.ts';
import { hashPassword } from './password.ts';
import { SCOPES, type Scope } from './principal.ts';
import { Token } from './token.ts';
import { User } from './user.ts';

const USER_NAME = /^[A-Za-z0-9][A-Za-z0-9._@/=, -]{0,199}$/;
const LEAST_PASSWORD_LENGTH = 8;

/** Throws ConflictError when the name is taken. */
export async function addUser(
  database: Database,
  input: { name: string; password?: string | null; isAdmin?: boolean },
): Promise<User> {
  if (!USER_NAME.test(input.name)) throw new InvalidInputError(`"${input.name}" is not a valid user name`);
  const { password } = input;
  if (password != null && password.length < LEAST_PASSWORD_LENGTH) {
    throw new InvalidInputError(`A password needs at least ${LEAST_PASSWORD_LENGTH} characters`);
  }
  const passwordHash = password == null ? null : await hashPassword(password);
  return await database.transaction(async ({ em }) => {
    if (await em.findOne(User, { name: input.name })) {
      throw new ConflictError(`There is a user "${input.name}" already`);
    }
    return em.create(User, {
      name: input.name,
      passwordHash,
      isAdmin: input.isAdmin ?? false,
      disabledAt: null,
    });
  });
}

/** The secret is returned once and kept only as a hash. */
export async function addToken(
  database: Database,
  input: { userName: string; name: string; scopes?: readonly string[]; expiresAt?: Date | null },
): Promise<{ token: Token; secret: string }> {
  const scopes = (input.scopes ?? ['read', 'write']).map(requireKnownScope);
  if (scopes.length === 0) throw new InvalidInputError('A token needs at least one scope');
  if (!/^[\w.-]{1,100}$/.test(input.name))
    throw new InvalidInputError(`"${input.name}" is not a valid token name`);
  const secret = `stw_${randomBytes(24).toString('base64url')}`;
  return await database.transaction(async ({ em }) => {
    const user = await em.findOne(User, { name: input.userName });
    if (!user) throw new NotFoundError(`There is no user "${input.userName}"`);
    if (await em.findOne(Token, { user, name: input.name })) {
      throw new ConflictError(`"${input.userName}" has a token "${input.name}" already`);
    }
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
}

/** Throws NotFoundError. */
export async function revokeToken(database: Database, userName: string, name: string): Promise<void> {
  const removed = await database.transaction(({ em }) =>
    em.nativeDelete(Token, { user: { name: userName }, name }),
  );
  if (removed === 0) throw new NotFoundError(`"${userName}" has no token "${name}"`);
}

/**
 * Creates the first administrator on an empty database. Without a configured password one is generated and written to
 * `admin-password` in the data directory (0600).
 */
export async function ensureAdministrator(database: Database, settings: Settings): Promise<void> {
  const [row] = await database.sql.query<{ any: boolean }>(
    'select exists (select from users where is_admin) as any',
  );
  if (row?.any) return;
  const path = join(settings.dataDir, 'admin-password');
  const password = settings.adminPassword ?? randomBytes(18).toString('base64url');
  try {
    await addUser(database, { name: settings.adminUser, password, isAdmin: true });
  } catch (error) {
    // Another process was first.
    if (error instanceof ConflictError || (error as { code?: string }).code === '23505') return;
    throw error;
  }
  if (settings.adminPassword === null) {
    if (!existsSync(settings.dataDir)) await mkdir(settings.dataDir, { recursive: true });
    await writeFile(path, `${password}\n`, { mode: 0o600 });
  }
}

export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

function requireKnownScope(name: string): Scope {
  const scope = SCOPES.find((known) => known === name);
  if (!scope) throw new InvalidInputError(`"${name}" is not a scope; there are ${SCOPES.join(', ')}`);
  return scope;
}
