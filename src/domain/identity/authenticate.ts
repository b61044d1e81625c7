import { createHash } from 'node:crypto';
import type { Database } from '../database/database.ts';
import { findTokenBySecret } from '../database/sql/find-token-by-secret.ts';
import { UnauthenticatedError } from '../errors.ts';
import { LoginAttempts, type LoginLimits } from './login-attempts.ts';
import { verifyPassword } from './password.ts';
import { ANONYMOUS, type Principal, SCOPES, type Scope } from './principal.ts';
import { SessionTokens } from './session-tokens.ts';
import { looksSigned } from './signed-tokens.ts';
import { hashSecret } from './tokens.ts';
import { User } from './user.ts';

/** Turns an `Authorization` header into a principal. Throws UnauthenticatedError for wrong credentials. */
export class Authenticator {
  readonly sessions: SessionTokens;
  readonly #database: Database;
  readonly #attempts: LoginAttempts;
  readonly #running = new Map<string, Promise<User>>();
  /** Password checks are slow on purpose: one that succeeded counts for a while, as long as the user's hash is the same. */
  readonly #verified = new Map<string, { passwordHash: string; until: number }>();

  constructor(database: Database, limits: LoginLimits = NO_LIMITS) {
    this.#database = database;
    this.#attempts = new LoginAttempts(limits);
    this.sessions = new SessionTokens(database);
  }

  /**
   * `Bearer <token>` or `JWT <token>`, where the token is a named one or that of a session, `Basic <user:password>` or
   * `Basic <user:token>`; nothing: anonymous.
   *
   * @param address of the client. Throws TooManyRequestsError where too many passwords were wrong.
   */
  async authenticate(authorization: string | undefined, address?: string): Promise<Principal> {
    if (!authorization) return ANONYMOUS;
    const [scheme = '', credentials = ''] = authorization.trim().split(/\s+/, 2);
    switch (scheme.toLowerCase()) {
      case 'bearer':
      case 'jwt':
        return looksSigned(credentials)
          ? await this.sessions.verify(credentials)
          : await this.#token(credentials, null);
      case 'basic': {
        const text = Buffer.from(credentials, 'base64').toString('utf8');
        const colon = text.indexOf(':');
        if (colon < 0) throw new UnauthenticatedError('Wrong credentials');
        return await this.#password(text.slice(0, colon), text.slice(colon + 1), address);
      }
      default:
        throw new UnauthenticatedError(`Authorization by "${scheme.slice(0, 20)}" is not supported`);
    }
  }

  async #token(secret: string, userName: string | null): Promise<Principal> {
    const found = await findTokenBySecret(this.#database.sql, hashSecret(secret));
    if (!found || (userName !== null && found.userName !== userName)) {
      throw new UnauthenticatedError('Wrong credentials');
    }
    return {
      userId: found.userId,
      name: found.userName,
      isAdmin: found.isAdmin,
      scopes: new Set(found.scopes as Scope[]),
      tokenId: found.tokenId,
    };
  }

  /** Who logs in by a form. Throws UnauthenticatedError, TooManyRequestsError. */
  async byPassword(name: string, password: string, address?: string): Promise<Principal> {
    return await this.#password(name, password, address);
  }

  async #password(name: string, password: string, address: string | undefined): Promise<Principal> {
    if (password.startsWith('stw_')) return await this.#token(password, name);
    // Many requests of one client at a time are one attempt.
    const key = hashOf(name, password, address ?? '');
    let running = this.#running.get(key);
    if (!running) {
      running = this.#verify(name, password, address).finally(() => this.#running.delete(key));
      this.#running.set(key, running);
    }
    const { id: userId, isAdmin } = await running;
    return { userId, name, isAdmin, scopes: new Set(SCOPES) };
  }

  async #verify(name: string, password: string, address: string | undefined): Promise<User> {
    // Also of a password that was right a moment ago: who may not try must not learn that this one would be it.
    const attempt = this.#attempts.begin(name, address);
    const key = hashOf(name, password);
    const user = await this.#findUser(name);
    // Unknown users cost as much as wrong passwords.
    const passwordHash = user?.passwordHash ?? UNMATCHABLE;
    const known = this.#verified.get(key);
    if (!user || !known || known.until <= Date.now() || known.passwordHash !== passwordHash) {
      this.#verified.delete(key);
      const isRight = await verifyPassword(password, passwordHash);
      if (!isRight || !user) throw new UnauthenticatedError('Wrong credentials');
      if (this.#verified.size >= MOST_VERIFIED) this.#verified.clear();
      this.#verified.set(key, { passwordHash, until: Date.now() + VERIFIED_FOR_MS });
    }
    attempt.succeeded();
    return user;
  }

  async #findUser(name: string): Promise<User | null> {
    if (name.includes('\0')) return null;
    return await this.#database.em().findOne(User, { name, disabledAt: null });
  }
}

const NO_LIMITS: LoginLimits = { loginFailures: 0, loginFailuresPerAddress: 0 };
const VERIFIED_FOR_MS = 60_000;
const MOST_VERIFIED = 10_000;
const UNMATCHABLE = `scrypt$${2 ** 15}$8$1$AAAAAAAAAAAAAAAAAAAAAA==$${Buffer.alloc(32).toString('base64')}`;

function hashOf(...parts: string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('base64');
}
