import { InvalidInputError, NotFoundError } from '../errors.ts';
import type { Digest } from './blob-store.ts';

/** By which stores name a blob. Throws InvalidInputError for what is no digest. */
export function hexOf(digest: Digest): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
  if (hex) return hex;
  throw new InvalidInputError(`"${digest}" is not a digest of the form sha256:<64 hex characters>`);
}

export function missingBlob(digest: Digest): NotFoundError {
  return new NotFoundError(`There is no blob ${digest}`);
}
