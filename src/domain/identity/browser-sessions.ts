import { randomBytes } from 'node:crypto';
import type { Database } from '../database/database.ts';
import {
  deleteBrowserSession,
  insertBrowserSession,
  useBrowserSession,
} from '../database/sql/browser-sessions.ts';
import { UnauthenticatedError } from '../errors.ts';
import { type Principal, SCOPES } from './principal.ts';
import { hashSecret } from './tokens.ts';

/**
 * Sessions of browsers: a secret of their own, kept only as a hash, which stands for a user who has shown a password.
 *
 *   logged in ──► over: logged out, 12 hours later, 2 hours without a request, another password, the user disabled or gone
 */
export const SESSION_TIMES = { lifetimeSeconds: 12 * 3600, idleSeconds: 2 * 3600 };
const MOST_OF_A_USER = 20;

/** Throws UnauthenticatedError for a principal that is no user with a password, or has shown a token instead. */
export async function openBrowserSession(
  { sql }: Pick<Database, 'sql'>,
  { userId, tokenId }: Principal,
): Promise<string> {
  const secret = randomBytes(32).toString('base64url');
  const session = {
    secretHash: hashSecret(secret),
    userId: userId ?? 0,
    most: MOST_OF_A_USER,
    ...SESSION_TIMES,
  };
  if (tokenId !== undefined || !(await insertBrowserSession(sql, session))) throw new UnauthenticatedError();
  return secret;
}

/** null: there is none, or it is over. */
export async function browserPrincipal(
  { sql }: Pick<Database, 'sql'>,
  secret: string,
): Promise<Principal | null> {
  const user = await useBrowserSession(sql, hashSecret(secret), SESSION_TIMES);
  return user && { ...user, scopes: new Set(SCOPES) };
}

export async function endBrowserSession({ sql }: Pick<Database, 'sql'>, secret: string): Promise<void> {
  await deleteBrowserSession(sql, hashSecret(secret));
}
