import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Database } from '../database/database.ts';
import { sharedSecret } from '../database/sql/shared-secret.ts';

/** What every signed token says; seconds since 1970. */
export interface TokenClaims {
  iss: string;
  iat: number;
  exp: number;
}

const ISSUER = 'stowage';
const HEADER = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url');

/**
 * JSON web tokens (RFC 7519) for one purpose, signed with a secret of that purpose which all gateways share: those for
 * another purpose are not ours.
 */
export class SignedTokens<Claims extends object> {
  readonly #database: Database;
  readonly #purpose: string;
  #secret: Promise<Buffer> | null = null;

  constructor(database: Database, purpose: string) {
    this.#database = database;
    this.#purpose = purpose;
  }

  async issue(claims: Claims, lifetimeSeconds: number): Promise<{ token: string; issuedAt: Date }> {
    const iat = Math.floor(Date.now() / 1000);
    const all: TokenClaims & Claims = { iss: ISSUER, iat, exp: iat + lifetimeSeconds, ...claims };
    const payload = Buffer.from(JSON.stringify(all)).toString('base64url');
    const signature = sign(`${HEADER}.${payload}`, await this.#key());
    return {
      token: `${HEADER}.${payload}.${signature.toString('base64url')}`,
      issuedAt: new Date(iat * 1000),
    };
  }

  /** null: it is not ours, or over. */
  async read(token: string): Promise<(TokenClaims & Claims) | null> {
    const [header, payload = '', signature = '', ...rest] = token.split('.');
    if (header !== HEADER || rest.length > 0) return null;
    const expected = sign(`${HEADER}.${payload}`, await this.#key());
    const actual = Buffer.from(signature, 'base64url');
    if (actual.length !== expected.length || !timingSafeEqual(actual, expected)) return null;
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as TokenClaims & Claims;
    return claims.exp > Date.now() / 1000 ? claims : null;
  }

  #key(): Promise<Buffer> {
    this.#secret ??= sharedSecret(this.#database.sql, this.#purpose, randomBytes(32)).catch(
      (error: unknown) => {
        this.#secret = null;
        throw error;
      },
    );
    return this.#secret;
  }
}

/** Whether a secret is such a token, of whatever purpose, and not one of the named ones. */
export function looksSigned(token: string): boolean {
  return token.startsWith(`${HEADER}.`);
}

function sign(text: string, key: Buffer): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
