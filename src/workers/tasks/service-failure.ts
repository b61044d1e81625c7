import { SigningKeyUnusableError } from '../../domain/bundles/signing-keys.ts';
import { isConnectionLost } from '../../domain/database/connection-lost.ts';
import { BlobStoreUnavailableError, DomainError } from '../../domain/errors.ts';
import { isDiskFull } from '../../domain/storage/disk-full.ts';
import { RegistryAwayError } from '../builders/registry-away.ts';

/** Database, blob store, registry, a full disk or a key that is half written: the state is untouched then; the queue repeats the job when they are back. */
export function isServiceFailure(error: unknown): boolean {
  if (error instanceof DomainError) {
    return (
      error instanceof BlobStoreUnavailableError ||
      error instanceof SigningKeyUnusableError ||
      error instanceof RegistryAwayError
    );
  }
  return isConnectionLost(error) || isRolledBack(error) || isDiskFull(error);
}

/** Class 40 of SQLSTATE: others wanted the same in another order. */
function isRolledBack(error: unknown): boolean {
  return /^40\w{3}$/.test(String((error as { code?: unknown }).code));
}
