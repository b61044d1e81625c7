import { DomainError } from '../../../../domain/errors.ts';
import type { FandoghError } from '../errors.ts';

type Refusals = Record<string, (error: DomainError) => FandoghError>;

/** What an operation gives; refusals with these codes have a meaning of their own in this call. */
export function refusedAs<Data>(refusals: Refusals, work: () => Data): Data {
  try {
    return work();
  } catch (error) {
    const refusal = error instanceof DomainError ? refusals[error.code] : undefined;
    throw refusal ? refusal(error as DomainError) : error;
  }
}
