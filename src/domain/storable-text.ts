import { InvalidInputError } from './errors.ts';

/** PostgreSQL keeps neither NUL characters nor halves of surrogate pairs. */
export function isStorableText(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

/** Whether all texts in a value as of JSON are storable, names of members too; however deep it is. */
export function isStorable(value: unknown): boolean {
  const left = [value];
  while (left.length > 0) {
    const one = left.pop();
    if (typeof one === 'string') {
      if (!isStorableText(one)) return false;
    } else if (Array.isArray(one)) {
      for (const element of one) left.push(element);
    } else if (isPlainObject(one)) {
      for (const [name, member] of Object.entries(one)) left.push(name, member);
    }
  }
  return true;
}

/** Uploads and such have nothing to look at. */
function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** Throws InvalidInputError. */
export function requireStorable(value: unknown): void {
  if (!isStorable(value)) {
    throw new InvalidInputError('Texts must not contain NUL characters or halves of surrogate pairs');
  }
}
