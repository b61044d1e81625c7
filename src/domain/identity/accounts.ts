import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from '../config.ts';
import type { Database } from '../database/database.ts';
import { orConflict } from '../database/unique-violation.ts';
import { ConflictError, InvalidInputError } from '../errors.ts';
import { hashPassword } from './password.ts';
import { type Principal, requireAdmin } from './principal.ts';
import { User } from './user.ts';
import { requireEmail, requirePassword } from './user-details.ts';

const USER_NAME = /^[A-Za-z0-9][A-Za-z0-9._@/=, -]{0,199}$/;

/** For administrators. Throws ConflictError when the name is taken. */
export async function createUser(
  database: Database,
  principal: Principal,
  input: Parameters<typeof addUser>[1],
): Promise<User> {
  requireAdmin(principal);
  return await addUser(database, input);
}

/** Throws ConflictError when the name is taken. */
export async function addUser(
  database: Database,
  input: { name: string; password?: string | null; email?: string | null; isAdmin?: boolean },
): Promise<User> {
  if (!USER_NAME.test(input.name)) {
    throw new InvalidInputError(`"${input.name}" is not a valid user name`, { details: { field: 'name' } });
  }
  const { password } = input;
  if (password != null) requirePassword(password);
  if (input.email != null) requireEmail(input.email);
  const passwordHash = password == null ? null : await hashPassword(password);
  const taken = `There is a user "${input.name}" already`;
  const adding = database.transaction(async ({ em }) => {
    if (await em.findOne(User, { name: input.name })) throw new ConflictError(taken);
    return em.create(User, {
      name: input.name,
      passwordHash,
      email: input.email ?? null,
      isAdmin: input.isAdmin ?? false,
      disabledAt: null,
    });
  });
  return await orConflict(input.email == null ? taken : `${taken}, or one with this email`, adding);
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
    if (error instanceof ConflictError) return;
    throw error;
  }
  if (settings.adminPassword === null) {
    if (!existsSync(settings.dataDir)) await mkdir(settings.dataDir, { recursive: true });
    await writeFile(path, `${password}\n`, { mode: 0o600 });
  }
}
