import type { Refusals } from '../../refused-as.ts';
import { BkrepoError } from '../errors.ts';

/** Of calls about one repository: it is unknown also where already the project is. */
export function unknownAs(name: string): Refusals {
  return { 'name-unknown': () => new BkrepoError('REPOSITORY_NOT_FOUND', name) };
}
