import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Database } from '../database/database.ts';
import { type KeyPurpose, SharedKeys } from './shared-keys.ts';

/** What every signed token says; seconds since 1970. */
export interface TokenClaims {
  iss: string;
  iat: number;
  exp: number;
}

const ISSUER = 'stowage';
const HEADER = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url');

/**
 * JSON web tokens (RFC 7519) for one purpose, signed with a key of that purpose which all gateways share: those for
 * another purpose are not ours.
 */
export class SignedTokens<Claims extends object> {
  readonly #keys: SharedKeys;

  constructor(database: Database, purpose: KeyPurpose) {
    this.#keys = new SharedKeys(database, purpose);
  }

  async issue(claims: Claims, lifetimeSeconds: number): Promise<{ token: string; issuedAt: Date }> {
    const iat = Math.floor(Date.now() / 1000);
    const all: TokenClaims & Claims = { iss: ISSUER, iat, exp: iat + lifetimeSeconds, ...claims };
    const payload = Buffer.from(JSON.stringify(all)).toString('base64url');
    const [newest] = await this.#keys.all();
    const signature = sign(`${HEADER}.${payload}`, newest!);
    return {
      token: `${HEADER}.${payload}.${signature.toString('base64url')}`,
      issuedAt: new Date(iat * 1000),
    };
  }

  /** null: it is not ours, or over. */
  async read(token: string): Promise<(TokenClaims & Claims) | null> {
    const [header, payload = '', signature = '', ...rest] = token.split('.');
    if (header !== HEADER || rest.length > 0) return null;
    const actual = Buffer.from(signature, 'base64url');
    const keys = await this.#keys.all();
    if (!keys.some((key) => isEqual(actual, sign(`${HEADER}.${payload}`, key)))) return null;
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as TokenClaims & Claims;
    return claims.exp > Date.now() / 1000 ? claims : null;
  }
}

/** Whether a secret is such a token, of whatever purpose, and not one of the named ones. */
export function looksSigned(token: string): boolean {
  return token.startsWith(`${HEADER}.`);
}

function sign(text: string, key: Buffer): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function isEqual(actual: Buffer, expected: Buffer): boolean {
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}
