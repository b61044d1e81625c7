import { InvalidInputError } from '../errors.ts';

const LONGEST = 500;

/**
 * Names that others vouch for: Kerberos principals, subjects of certificates, users whom a representative names. Case
 * counts, and no character has a meaning. Throws InvalidInputError.
 */
export function requireOutsideName(name: string): void {
  if (name === '' || name.length > LONGEST || /[\0-\x1f\x7f]/.test(name) || !name.isWellFormed()) {
    throw new InvalidInputError(`"${name.slice(0, 60)}" is not a valid user name`);
  }
}
