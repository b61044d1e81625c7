import type { Settings } from '../../config.ts';
import { InvalidInputError } from '../../errors.ts';
import type { PackageManager, PackageOptions } from '../../packages/package.ts';
import { packagePath } from '../../packages/package-path.ts';
import { isJsonObject, listed } from './json-value.ts';

type PackagesByManager = Partial<Record<PackageManager, PackageOptions[]>>;

/** Keys that the options of a package may have; those beside `path` are lists of files. */
const KEYS: Partial<Record<PackageManager, readonly string[]>> = {
  gomod: ['path'],
  npm: ['path'],
  pip: ['path', 'requirements_build_files', 'requirements_files'],
  yarn: ['path'],
  rubygems: ['path'],
};

/** The value of "packages" (cachito.md 3.1). `managers` are those of the request, in the order in which it names them. */
export function packagesOf(
  value: unknown,
  managers: readonly PackageManager[],
  settings: Pick<Settings, 'mutuallyExclusivePackageManagers'>,
): PackagesByManager {
  const packages = value === undefined ? {} : readPackages(value, managers);
  for (const [index, first] of managers.entries()) {
    for (const second of managers.slice(index + 1)) {
      const areExclusive = settings.mutuallyExclusivePackageManagers.some(
        (pair) => pair.includes(first) && pair.includes(second),
      );
      if (areExclusive) requireDisjoint(packages, first, second);
    }
  }
  return packages;
}

function readPackages(value: unknown, managers: readonly PackageManager[]): PackagesByManager {
  if (!isJsonObject(value)) throw new InvalidInputError('The "packages" parameter must be an object');
  const named = Object.keys(value);
  const foreign = named.filter((name) => !managers.some((manager) => manager === name));
  if (foreign.length > 0) {
    throw new InvalidInputError(
      `The following package managers in the "packages" object do not apply: ${listed(foreign)}`,
    );
  }
  const own = named as PackageManager[];
  const unsupported = own.filter((manager) => !KEYS[manager]);
  if (unsupported.length > 0) {
    throw new InvalidInputError(
      `The following package managers in the "packages" object are unsupported: ${listed(unsupported)}`,
    );
  }
  const packages: PackagesByManager = {};
  for (const manager of own) {
    const options = readOptions(manager, KEYS[manager]!, value[manager]);
    // None: the root, as if nothing had been said.
    if (options.length > 0) packages[manager] = options;
  }
  return packages;
}

function readOptions(manager: PackageManager, keys: readonly string[], value: unknown): PackageOptions[] {
  const malformed = new InvalidInputError(
    `The value of "packages.${manager}" must be an array of objects with the following keys: ${keys.join(', ')}`,
  );
  if (!Array.isArray(value)) throw malformed;
  for (const item of value) {
    if (!isJsonObject(item)) throw malformed;
    const given = Object.keys(item);
    if (given.length === 0 || given.some((key) => !keys.includes(key))) throw malformed;
  }
  return value.map((item) => {
    const files = (key: string): string[] | undefined => {
      const list: unknown = item[key] ?? undefined;
      if (list === undefined) return undefined;
      if (!Array.isArray(list)) throw notRelative(manager, key);
      return list.map((file) => readPath(manager, key, file));
    };
    const requirementsFiles = files('requirements_files');
    const requirementsBuildFiles = files('requirements_build_files');
    return {
      path: readPath(manager, 'path', item.path ?? '.'),
      ...(requirementsFiles && { requirementsFiles }),
      ...(requirementsBuildFiles && { requirementsBuildFiles }),
    };
  });
}

function readPath(manager: PackageManager, key: string, value: unknown): string {
  const path = typeof value === 'string' ? packagePath(value) : null;
  if (path === null) throw notRelative(manager, key);
  return path;
}

function notRelative(manager: PackageManager, key: string): InvalidInputError {
  return new InvalidInputError(
    `The "${key}" values in the "packages.${manager}" value must be to a relative path in the source repository`,
  );
}

function requireDisjoint(packages: PackagesByManager, first: PackageManager, second: PackageManager): void {
  if (first === 'git-submodule' || second === 'git-submodule') {
    requireRootOnly(packages, first === 'git-submodule' ? second : first);
    return;
  }
  const conflicts = pathsOf(packages, first).filter((path) => pathsOf(packages, second).includes(path));
  if (conflicts.length > 0) {
    throw new InvalidInputError(
      `The following paths cannot be processed by both '${first}' and '${second}': ${listed(conflicts)}`,
    );
  }
}

function requireRootOnly(packages: PackagesByManager, manager: PackageManager): void {
  if (pathsOf(packages, manager).every((path) => path === '.')) return;
  throw new InvalidInputError(
    `Cannot process non-root packages with '${manager}' when 'git-submodule' is also set.\n` +
      'Solution: remove the git submodules and instead process the upstream repos (corresponding to the submodules) ' +
      'directly. Each repo should be processed in a separate request.',
  );
}

function pathsOf(packages: PackagesByManager, manager: PackageManager): string[] {
  return packages[manager]?.map(({ path }) => path) ?? ['.'];
}
