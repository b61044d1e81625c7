import { createHash, timingSafeEqual } from 'node:crypto';
import { findOpenRegistry } from '../database/sql/package-registries.ts';
import type { SqlExecutor } from '../database/sql-executor.ts';
import { UnauthenticatedError } from '../errors.ts';
import type { Digest } from '../storage/blob-store.ts';
import { type RegistryKind, registryUser } from './registry-address.ts';

/**
 * The bundle that a registry serves, for who knows its password; null when the request was completed without one. Says
 * the same about requests that do not exist, are not complete or have ended. Throws UnauthenticatedError.
 *
 * @param authorization header, `Basic …`
 */
export async function authenticateRegistry(
  sql: SqlExecutor,
  { kind, requestId }: { kind: RegistryKind; requestId: number },
  authorization: string | undefined,
): Promise<Digest | null> {
  const registry = await findOpenRegistry(sql, requestId);
  const expected = `${registryUser(kind, requestId)}:${registry?.password ?? ''}`;
  const given = credentialsOf(authorization);
  const matches = given !== null && timingSafeEqual(hashOf(given), hashOf(expected));
  if (registry === null || !matches) {
    throw new UnauthenticatedError('Wrong or missing credentials for the packages of this request');
  }
  return registry.bundleDigest;
}

/** `user:password` */
function credentialsOf(authorization: string | undefined): string | null {
  const [, base64] = /^basic +([A-Za-z0-9+/_-]+={0,2})$/i.exec(authorization?.trim() ?? '') ?? [];
  return base64 === undefined ? null : Buffer.from(base64, 'base64').toString('utf8');
}

/** Of one length, whatever was given. */
function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
