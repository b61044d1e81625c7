import { randomUUID } from 'node:crypto';
import { InvalidInputError } from '../errors.ts';
import type { Digest } from './blob-store.ts';

/** What lies in the bucket, by the beginning of its key. */
export const BLOBS = 'sha256/';
/** Bytes on their way to a blob whose digest is not known yet. */
export const TEMPORARY = 'tmp/';
/** `uploads/<name>/<offset>`: staged bytes. */
export const UPLOADS = 'uploads/';
/** `deleting/<hex>`: somebody is just deleting the blob. */
export const MARKS = 'deleting/';

export function temporaryKey(): string {
  return TEMPORARY + randomUUID();
}

/** `sha256/ab/<hex>`. Throws InvalidInputError for what is no digest. */
export function keyOf(digest: Digest): string {
  const hex = hexOf(digest);
  return `${BLOBS}${hex.slice(0, 2)}/${hex}`;
}

export function markOf(digest: Digest): string {
  return MARKS + hexOf(digest);
}

/** `damaged/<hex>-<time>`: bytes that were set aside. */
export function damagedKey(digest: Digest): string {
  return `damaged/${hexOf(digest)}-${Date.now()}`;
}

function hexOf(digest: Digest): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
  if (hex) return hex;
  throw new InvalidInputError(`"${digest}" is not a digest of the form sha256:<64 hex characters>`);
}
