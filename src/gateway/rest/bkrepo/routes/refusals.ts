import { DomainError } from '../../../../domain/errors.ts';
import { BkrepoError } from '../errors.ts';

type Refusals = Record<string, (error: DomainError) => BkrepoError>;

/** What an operation gives; refusals with these codes have a meaning of their own in this call. */
export function refusedAs<Data>(refusals: Refusals, work: () => Data): Data {
  try {
    return work();
  } catch (error) {
    const refusal = error instanceof DomainError ? refusals[error.code] : undefined;
    throw refusal ? refusal(error as DomainError) : error;
  }
}

/** Of calls about one repository: it is unknown also where already the project is. */
export function unknownAs(name: string): Refusals {
  return { 'name-unknown': () => new BkrepoError('REPOSITORY_NOT_FOUND', name) };
}
