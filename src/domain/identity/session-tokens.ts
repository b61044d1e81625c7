import type { Database } from '../database/database.ts';
import { findSessionUser } from '../database/sql/find-session-user.ts';
import { UnauthenticatedError } from '../errors.ts';
import type { Principal, Scope } from './principal.ts';
import { SignedTokens } from './signed-tokens.ts';

const SESSION_SECONDS = 24 * 3600;

interface Claims {
  uid: number;
  sub: string | null;
  /** The named token that was the password: gone with it. */
  tid: number | null;
  scopes: Scope[];
}

/** What somebody gets who logs in with a password, for a day (fandogh.md 1.1). What they may do is looked up each time. */
export class SessionTokens {
  readonly #database: Database;
  readonly #signed: SignedTokens<Claims>;

  constructor(database: Database) {
    this.#database = database;
    this.#signed = new SignedTokens(database, 'session-tokens');
  }

  /** Throws UnauthenticatedError for who is nobody. */
  async issue({ userId, name, tokenId, scopes }: Principal): Promise<string> {
    if (userId === null) throw new UnauthenticatedError();
    const claims = { uid: userId, sub: name, tid: tokenId ?? null, scopes: [...scopes] };
    return (await this.#signed.issue(claims, SESSION_SECONDS)).token;
  }

  /** Throws UnauthenticatedError when it is forged, over, or its user is gone. */
  async verify(token: string): Promise<Principal> {
    const claims = await this.#signed.read(token);
    const user = claims && (await findSessionUser(this.#database.sql, claims.uid, claims.tid));
    if (!claims || !user) throw new UnauthenticatedError('Invalid or expired token');
    return {
      userId: claims.uid,
      name: user.name,
      isAdmin: user.isAdmin,
      scopes: new Set(claims.scopes),
      ...(claims.tid !== null && { tokenId: claims.tid }),
    };
  }
}
