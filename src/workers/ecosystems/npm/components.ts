import { ComponentRows } from '../../../domain/bundles/sbom/component-rows.ts';
import type { SbomComponent } from '../../../domain/bundles/sbom-component.ts';
import { dependencyRow, type ResolvedDependency, sourceRow } from '../../javascript-packages/components.ts';
import type { SourceLocation } from '../package-purl.ts';
import { type AnyLockFile, createDependencyLookup, type LockEntry } from './lock-file.ts';

export interface ResolvedNpmPackage {
  lock: AnyLockFile;
  /** Relative to the source root. */
  directory: string;
  /** What the main package depends on, by folder name. */
  rootDependencies: readonly string[];
  dependencies: readonly ResolvedDependency<LockEntry>[];
}

/** The SBOM's rows (prefetch.md 13.2), one for each package that differs in purl or bytes. */
export function npmComponents(
  packages: readonly ResolvedNpmPackage[],
  source: SourceLocation,
): SbomComponent[] {
  const rows = new ComponentRows();
  for (const one of packages) addPackage(rows, one, source);
  return rows.sorted();
}

function addPackage(rows: ComponentRows, one: ResolvedNpmPackage, source: SourceLocation): void {
  const { lock, directory } = one;
  const { name, version, license, path: lockPath } = lock;
  const refs = new Map<string, string>();
  for (const resolved of one.dependencies) {
    refs.set(
      resolved.dependency.entry.location,
      rows.add(dependencyRow(resolved, { lockPath, directory }, source)),
    );
  }
  const lookup = createDependencyLookup(lock);
  const refsOf = (location: string, names: readonly string[]) =>
    names.flatMap((name) => {
      const entry = lookup(location, name);
      const ref = entry && refs.get(entry.location);
      return ref ? [ref] : [];
    });
  for (const { dependency } of one.dependencies) {
    const { location, dependencies } = dependency.entry;
    rows.connect(refs.get(location)!, refsOf(location, dependencies));
  }
  // Without a name nothing can depend on it.
  if (name === null) return;
  const main = { name, version, license, directory };
  rows.connect(rows.add(sourceRow(main, source)), refsOf('', one.rootDependencies));
}
