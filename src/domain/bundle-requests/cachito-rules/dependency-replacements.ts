import { InvalidInputError } from '../../errors.ts';
import type { DependencyReplacement, PackageManager, PackageType } from '../../packages/package.ts';
import { isJsonObject } from './json-value.ts';

const REQUIRED = ['name', 'type', 'version'];
const KEYS = [...REQUIRED, 'new_name'];

/** The value of "dependency_replacements" (cachito.md 3.2). */
export function replacementsOf(value: unknown): DependencyReplacement[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new InvalidInputError('"dependency_replacements" must be an array');
  return value.map(replacementOf);
}

function replacementOf(value: unknown): DependencyReplacement {
  const isWellFormed =
    isJsonObject(value) &&
    REQUIRED.every((key) => Object.hasOwn(value, key)) &&
    Object.keys(value).every((key) => KEYS.includes(key));
  if (!isWellFormed) {
    throw new InvalidInputError(
      'A dependency replacement must be a JSON object with the following keys: name, type, version. It may also ' +
        'contain the following optional keys: new_name.',
    );
  }
  for (const key of KEYS) {
    if (Object.hasOwn(value, key) && typeof value[key] !== 'string') {
      throw new InvalidInputError(`The "${key}" key of the dependency replacement must be a string`);
    }
  }
  const { name, type, version, new_name: newName } = value as Record<string, string>;
  return {
    name: name!,
    // Of a type that no manager has: as good as one of a manager that is not requested.
    type: type as PackageType,
    version: version!,
    ...(newName !== undefined && { newName }),
  };
}

/** Replacements of managers that are not requested do nothing; gomod alone has them (cachito.md 3, check 12). */
export function requireReplaceable(
  replacements: readonly DependencyReplacement[],
  requested: readonly PackageManager[],
): void {
  for (const manager of ['npm', 'pip', 'rubygems', 'yarn'] as const) {
    if (!requested.includes(manager) || !replacements.some(({ type }) => type === manager)) continue;
    const title = manager === 'rubygems' ? 'RubyGems' : manager;
    throw new InvalidInputError(
      `Dependency replacements are not yet supported for the ${title} package manager`,
    );
  }
}
