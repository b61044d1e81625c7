import { fieldError } from '../errors.ts';

export function requiredText(field: string, value: unknown): string {
  if (value === undefined || value === null) throw fieldError(field, 'This field is required.');
  if (typeof value !== 'string') throw fieldError(field, 'Not a valid string.');
  return value;
}

/** undefined: it is not there. */
export function optionalText(field: string, value: unknown): string | undefined {
  return value === undefined ? undefined : requiredText(field, value);
}
