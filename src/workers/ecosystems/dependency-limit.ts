import { ValidationError } from '../../domain/errors.ts';

interface Named {
  /** What names them. */
  files?: string;
  things?: string;
}

/** Throws ValidationError when a request has more dependencies than the operator allows. */
export function assertDependencyCount(
  count: number,
  most: number,
  { files = 'lock files', things = 'dependencies' }: Named = {},
): void {
  if (count <= most) return;
  throw new ValidationError('invalid-lockfile', `The ${files} name ${count} ${things}, more than ${most}`);
}
