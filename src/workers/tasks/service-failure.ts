import { BlobStoreUnavailableError } from '../../domain/errors.ts';

/** Database or blob store: the state is untouched then; the queue repeats the job when they are back. */
export function isServiceFailure(error: unknown): boolean {
  if (error instanceof BlobStoreUnavailableError) return true;
  const code = (error as { code?: unknown } | null)?.code;
  const message = error instanceof Error ? error.message : '';
  return (
    (typeof code === 'string' && /^(08|57P|53|40)\w*$/.test(code) && code.length === 5) ||
    /Connection terminated|Client has encountered a connection error|terminating connection/.test(message)
  );
}
