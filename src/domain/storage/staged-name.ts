import { InvalidInputError, NotFoundError } from '../errors.ts';

const NAME = /^[0-9a-f-]{1,64}\.\d{1,9}$/;

export function isStagedName(name: string): boolean {
  return NAME.test(name);
}

/** Throws InvalidInputError for what may not be part of a path. */
export function requireStagedName(name: string): void {
  if (!isStagedName(name)) throw new InvalidInputError(`"${name}" cannot be staged`);
}

export function missingStaged(name: string): NotFoundError {
  return new NotFoundError(`The bytes of ${name} are not there any more`);
}
