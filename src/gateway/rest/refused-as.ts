import { DomainError } from '../../domain/errors.ts';

/** By the code of a refusal: what the dialect calls it in one of its calls. */
export type Refusals = Record<string, (error: DomainError) => DomainError>;

/** What an operation gives; refusals with these codes have a meaning of their own in this call. */
export function refusedAs<Data>(refusals: Refusals, work: () => Data): Data {
  try {
    return work();
  } catch (error) {
    const refusal = error instanceof DomainError ? refusals[error.code] : undefined;
    throw refusal ? refusal(error as DomainError) : error;
  }
}
