import { randomBytes } from 'node:crypto';
import type { Database } from '../database/database.ts';
import { buildRuns } from '../database/sql/build-runs.ts';
import { findRefreshToken, insertRefreshToken } from '../database/sql/refresh-tokens.ts';
import { UnauthenticatedError } from '../errors.ts';
import type { Principal, Scope } from '../identity/principal.ts';
import { looksSigned, SignedTokens } from '../identity/signed-tokens.ts';
import { hashSecret } from '../identity/tokens.ts';
import { ANY_IMAGE, type BuildRun, type Grant, type RegistryPrincipal } from './access.ts';

export const TOKEN_SECONDS = 3600;
const REFRESH_SECONDS = 90 * 24 * 3600;

/**
 * Tokens of docker clients (oci-registry.md 2): JWTs, signed with a key that all gateways share. They tell who the
 * bearer is and what it asked for; what it may really do is looked up each time.
 */
export class RegistryTokens {
  readonly #database: Database;
  readonly #signed: SignedTokens<Claims>;
  /** Verified ones, with the second in which they are looked at again: a client uses the same for many requests. */
  readonly #verified = new Map<string, { principal: RegistryPrincipal; until: number }>();

  constructor(database: Database) {
    this.#database = database;
    this.#signed = new SignedTokens(database, 'registry-tokens');
  }

  async issue(
    principal: RegistryPrincipal,
    grants: readonly Grant[],
    seconds = TOKEN_SECONDS,
  ): Promise<{ token: string; issuedAt: Date }> {
    const claims: Claims = {
      uid: principal.userId,
      sub: principal.name,
      tid: principal.tokenId ?? null,
      scopes: [...principal.scopes],
      access: grants,
      ...(principal.build && { build: principal.build }),
    };
    return await this.#signed.issue(claims, seconds);
  }

  /**
   * For one run of a build: to push its image, and to read what its user may read, as a base. It ends with the run, or
   * after the seconds that the run may take.
   */
  async issueForBuild(userId: number, run: BuildRun, path: string, seconds: number): Promise<string> {
    const principal = {
      userId,
      name: 'build',
      isAdmin: false,
      scopes: new Set<Scope>(['read', 'write']),
      build: run,
    };
    const grants = [
      { type: 'repository', name: path, actions: ['pull', 'push'] },
      { type: 'repository', name: ANY_IMAGE, actions: ['pull'] },
    ] as const;
    return (await this.issue(principal, grants, seconds)).token;
  }

  /** null: it does not look like one of ours. Throws UnauthenticatedError when it is forged or over. */
  async verify(token: string): Promise<RegistryPrincipal | null> {
    const principal = await this.#read(token);
    if (principal?.build && !(await buildRuns(this.#database.sql, principal.build))) {
      throw new UnauthenticatedError('The build that the token was made for is over');
    }
    return principal;
  }

  async #read(token: string): Promise<RegistryPrincipal | null> {
    if (!looksSigned(token)) return null;
    const known = this.#verified.get(token);
    if (known) {
      if (known.until > Date.now() / 1000) return known.principal;
      this.#verified.delete(token);
    }
    const claims = await this.#signed.read(token);
    if (!claims) throw new UnauthenticatedError('Invalid or expired token');
    const principal = principalOf(claims);
    if (this.#verified.size >= MOST_VERIFIED) this.#verified.clear();
    const until = Math.min(claims.exp, Date.now() / 1000 + VERIFIED_SECONDS);
    this.#verified.set(token, { principal, until });
    return principal;
  }

  /**
   * A secret for getting tokens later, without the credentials of now; null: there is none for nobody, and none for a token
   * of the registry, which is good for less and not as long.
   */
  async issueRefreshToken(principal: RegistryPrincipal): Promise<string | null> {
    if (principal.userId === null || principal.grants) return null;
    const secret = `${REFRESH_PREFIX}${randomBytes(24).toString('base64url')}`;
    await insertRefreshToken(this.#database.sql, {
      secretHash: hashSecret(secret),
      userId: principal.userId,
      tokenId: principal.tokenId ?? null,
      scopes: [...principal.scopes],
      lifetimeSeconds: REFRESH_SECONDS,
    });
    return secret;
  }

  /** Throws UnauthenticatedError when it is unknown, over, or what it was got with is gone. */
  async refresh(secret: string): Promise<Principal> {
    const found = secret.startsWith(REFRESH_PREFIX)
      ? await findRefreshToken(this.#database.sql, hashSecret(secret))
      : null;
    if (!found) throw new UnauthenticatedError('Invalid or expired refresh token');
    const { userId, userName, isAdmin, tokenId, scopes } = found;
    return {
      userId,
      name: userName,
      isAdmin,
      scopes: new Set(scopes as Scope[]),
      ...(tokenId !== null && { tokenId }),
    };
  }
}

interface Claims {
  /** null: anonymous. */
  uid: number | null;
  sub: string | null;
  /** The Stowage token that it was got with: gone with it. */
  tid: number | null;
  scopes: Scope[];
  access: readonly Grant[];
  /** Gone when this run is over. */
  build?: BuildRun;
}

const REFRESH_PREFIX = 'stwr_';
const MOST_VERIFIED = 10_000;
/** The key that has signed it may be forgotten. */
const VERIFIED_SECONDS = 10;

/** Whether it is an administrator the database says each time. */
function principalOf({ uid, sub, tid, scopes, access, build }: Claims): RegistryPrincipal {
  return {
    userId: uid,
    name: sub,
    isAdmin: false,
    scopes: new Set(scopes),
    ...(tid !== null && { tokenId: tid }),
    grants: access,
    ...(build && { build }),
  };
}
