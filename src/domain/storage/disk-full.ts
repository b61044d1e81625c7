import { BlobStoreUnavailableError } from '../errors.ts';

const CODES = new Set(['ENOSPC', 'EDQUOT']);

/** Whether the same write may succeed when somebody has made room. */
export function isDiskFull(error: unknown): boolean {
  return CODES.has((error as { code?: string } | null)?.code ?? '');
}

/** What a client is told of an error that {@link isDiskFull}: no defect of the server. null: of any other one. */
export function asDiskFull(error: unknown): BlobStoreUnavailableError | null {
  if (!isDiskFull(error)) return null;
  return new BlobStoreUnavailableError('There is no space left to store this', {
    cause: error,
    hint: 'Try again when the operator has made room.',
  });
}
