import { randomUUID } from 'node:crypto';
import { hexOf } from './blob-names.ts';
import type { Digest } from './blob-store.ts';

/** What lies in the bucket, by the beginning of its key. */
export const BLOBS = 'sha256/';
/** Bytes on their way to a blob whose digest is not known yet. */
export const TEMPORARY = 'tmp/';
/** `uploads/<name>/<offset>`: staged bytes. */
export const UPLOADS = 'uploads/';
/** `deleting/<hex>`: somebody is just deleting the blob. */
export const MARKS = 'deleting/';
/** Empty; written to see whether anything can be. */
export const CHECK = 'check';

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
