import { DomainError } from '../domain/errors.ts';
import { EXIT_INTERRUPTED } from './exit-codes.ts';
import { onTermination } from './termination.ts';

/** Work that Ctrl-C and SIGTERM break off: whatever it says then is the interruption. A second signal ends the process. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const ending = new AbortController();
  const stopListening = onTermination(
    () => ending.abort(new DomainError('interrupted', 'Interrupted')),
    () => process.exit(EXIT_INTERRUPTED),
  );
  try {
    return await work(ending.signal);
  } catch (error) {
    throw ending.signal.aborted ? ending.signal.reason : error;
  } finally {
    stopListening();
  }
}
