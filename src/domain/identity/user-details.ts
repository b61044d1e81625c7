import type { Database } from '../database/database.ts';
import { orConflict } from '../database/unique-violation.ts';
import { ForbiddenError, InvalidInputError, NotFoundError } from '../errors.ts';
import { LoginAttempts } from './login-attempts.ts';
import { hashPassword, verifyPassword } from './password.ts';
import { type Principal, requireScope } from './principal.ts';
import { User } from './user.ts';

/** What is absent stays. */
export interface UserChanges {
  /** null: none. */
  email?: string | null;
  password?: string;
  /** That one has now; administrators need none for others. */
  oldPassword?: string | null;
}

/** Oneself, or anybody for administrators; others look as if they were not there. Throws NotFoundError. */
export async function findUserDetails(database: Database, principal: Principal, name: string): Promise<User> {
  requireScope(principal, 'read');
  const user = name.includes('\0') ? null : await database.em().findOne(User, { name });
  if (!user || !mayKnow(principal, user)) throw new NotFoundError(`There is no user "${name.slice(0, 60)}"`);
  return user;
}

export function mayKnow(principal: Principal, { id }: User): boolean {
  return id === principal.userId || (principal.isAdmin && principal.scopes.has('admin'));
}

/** Of oneself, or of anybody by administrators. Throws NotFoundError, InvalidInputError, ConflictError, TooManyRequestsError. */
export async function changeUserDetails(
  database: Database,
  principal: Principal,
  name: string,
  { email, password, oldPassword }: UserChanges,
): Promise<User> {
  requireScope(principal, 'write');
  const { id, passwordHash } = await findUserDetails(database, principal, name);
  if (email != null) requireEmail(email);
  if (password !== undefined) {
    requirePassword(password);
    await requireOldPassword(database, principal, { id, passwordHash }, oldPassword ?? '');
  }
  const newHash = password === undefined ? undefined : await hashPassword(password);
  const taken = 'A user with this email already exists.';
  const changing = database.transaction(async ({ em }) => {
    const user = await em.findOneOrFail(User, id);
    if (email !== undefined) user.email = email;
    if (newHash !== undefined) user.passwordHash = newHash;
    return user;
  });
  return await orConflict(taken, changing);
}

/** Guesses of whoever holds somebody's session. */
const GUESSES = { loginFailures: 20, loginFailuresPerAddress: 0 };
const attempts = new WeakMap<Database, LoginAttempts>();

/** What somebody holds who found a token or a session must not be enough to keep its owner out. */
async function requireOldPassword(
  database: Database,
  { userId, tokenId }: Principal,
  { id, passwordHash }: Pick<User, 'id' | 'passwordHash'>,
  oldPassword: string,
): Promise<void> {
  if (id !== userId) return;
  if (tokenId !== undefined) throw new ForbiddenError('A token does not change the password of its user');
  const known = attempts.get(database) ?? new LoginAttempts(GUESSES);
  attempts.set(database, known);
  const attempt = known.begin(`${id}`, undefined);
  if (passwordHash && (await verifyPassword(oldPassword, passwordHash))) return attempt.succeeded();
  throw new InvalidInputError('The old password is wrong', { details: { field: 'old_password' } });
}

const LEAST_PASSWORD_LENGTH = 8;
const MOST_PASSWORD_LENGTH = 1024;

/** Throws InvalidInputError. */
export function requirePassword(password: string): void {
  const problem =
    password.length < LEAST_PASSWORD_LENGTH
      ? `A password needs at least ${LEAST_PASSWORD_LENGTH} characters`
      : password.length > MOST_PASSWORD_LENGTH
        ? `A password has at most ${MOST_PASSWORD_LENGTH} characters`
        : null;
  if (problem !== null) throw new InvalidInputError(problem, { details: { field: 'password' } });
}

const EMAIL = /^[^\s@\0-\x1f\x7f]{1,64}@[^\s@\0-\x1f\x7f]{1,190}$/;

/** Only that it could be one. Throws InvalidInputError. */
export function requireEmail(email: string): void {
  if (EMAIL.test(email)) return;
  throw new InvalidInputError('Enter a valid email address.', { details: { field: 'email' } });
}
