import { compareText } from '../code-point-order.ts';
import { InvalidRequestData } from '../errors.ts';
import type { Dependency, PackageName, ResolvedPackage } from './package.ts';

/** Packages as they are reported: sorted, each with sorted dependencies (cachito.md 1.6). */
export interface ReportedPackages {
  packages: ResolvedPackage[];
}

/**
 * Merges what the package managers found. Throws InvalidRequestData when two packages have the same name, type and
 * version (cachito.md 4.3).
 */
export function reportPackages(found: readonly ResolvedPackage[]): ReportedPackages {
  const seen = new Set<string>();
  for (const { name, type, version } of found) {
    const key = JSON.stringify([name, type, version]);
    if (seen.has(key)) {
      throw new InvalidRequestData(
        'package-rejected',
        `Duplicate package: ${pythonDict({ name, type, version })}`,
        {
          details: { name, type, version },
        },
      );
    }
    seen.add(key);
  }
  return {
    packages: [...found]
      .sort(comparePackages)
      .map((one) => ({ ...one, dependencies: [...one.dependencies].sort(comparePackages) })),
  };
}

/** All packages' dependencies, sorted, without repeats of name, type, version and dev. */
export function uniqueDependencies(packages: readonly Pick<ResolvedPackage, 'dependencies'>[]): Dependency[] {
  const unique = new Map<string, Dependency>();
  for (const { dependencies } of packages) {
    for (const dependency of dependencies) {
      const { type, dev = false, name, version } = dependency;
      const key = JSON.stringify([type, dev, name, version]);
      if (!unique.has(key)) unique.set(key, dependency);
    }
  }
  return [...unique.values()].sort(comparePackages);
}

/** By type, dev, name, version, in code-point order. */
function comparePackages(a: PackageName & { dev?: boolean }, b: PackageName & { dev?: boolean }): number {
  return (
    compareText(a.type, b.type) ||
    Number(a.dev ?? false) - Number(b.dev ?? false) ||
    compareText(a.name, b.name) ||
    compareText(a.version ?? '', b.version ?? '')
  );
}

/** As Python prints a dict: contract text. */
function pythonDict(values: Record<string, string | null>): string {
  const text = (value: string | null): string =>
    value === null ? 'None' : `'${value.replaceAll("'", "\\'")}'`;
  return `{${Object.entries(values)
    .map(([key, value]) => `'${key}': ${text(value)}`)
    .join(', ')}}`;
}
