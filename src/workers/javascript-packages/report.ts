import type { Dependency } from '../../domain/packages/package.ts';
import { assertDependencyCount } from '../ecosystems/dependency-limit.ts';
import type { ResolveContext } from '../ecosystems/ecosystem.ts';
import type { LockedDependency } from './dependency.ts';
import { missingIntegrity } from './sources.ts';

/** cachito.md 1.6. Of equal names and versions, the one that is not for development wins. */
export function reportDependencies(
  type: 'npm' | 'yarn',
  dependencies: readonly LockedDependency[],
): Dependency[] {
  const unique = new Map<string, Dependency>();
  for (const { entry, version } of dependencies) {
    const { name } = entry;
    const key = JSON.stringify([name, version]);
    const dev = entry.dev && (unique.get(key)?.dev ?? true);
    unique.set(key, { type, name, version, dev, replaces: null });
  }
  return [...unique.values()].sort(byNameAndVersion);
}

/** prefetch.md 12: strict integrity leaves no gaps. */
export function refuseUnverified(dependencies: readonly LockedDependency[]): void {
  const unverified = dependencies.find(({ kind, expected }) => kind === 'registry' && expected.length === 0);
  if (unverified) throw missingIntegrity(`${unverified.entry.name}@${unverified.version}`);
}

/** Tells the progress how many dependencies there are; throws ValidationError when they are too many. */
export function expectDependencies({ settings, progress }: ResolveContext, count: number): void {
  assertDependencyCount(count, settings.limits.dependencies);
  progress.expect({ packages: count });
}

function byNameAndVersion(a: Dependency, b: Dependency): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return (a.version ?? '') < (b.version ?? '') ? -1 : 1;
}
