import { ConflictError } from '../errors.ts';

const UNIQUE_VIOLATION = '23505';

/** Two who add the same thing at once both find that it is not there: whoever comes second gets a ConflictError. */
export async function orConflict<T>(message: string, adding: Promise<T>): Promise<T> {
  try {
    return await adding;
  } catch (error) {
    if ((error as { code?: string }).code !== UNIQUE_VIOLATION) throw error;
    throw new ConflictError(message, { cause: error });
  }
}
