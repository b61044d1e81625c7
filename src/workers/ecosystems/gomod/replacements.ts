import { GoModError, UnsupportedFeature } from '../../../domain/errors.ts';
import type { DependencyReplacement } from '../../../domain/packages/package.ts';
import type { ResolveContext } from '../ecosystem.ts';
import type { GoSession } from './go-session.ts';
import type { PackageGraph } from './listed-packages.ts';
import { escapeModulePath, escapeVersion, type ModuleVersion } from './module-path.ts';
import type { RequestedModule } from './source-modules.ts';

/** The request's replacements for Go modules. Throws UnsupportedFeature for more than one path (prefetch.md 2.1). */
export function requestedReplacements({ request, packages }: ResolveContext): DependencyReplacement[] {
  const replacements = request.dependencyReplacements.filter(({ type }) => type === 'gomod');
  if (replacements.length > 0 && packages.length > 1) {
    throw new UnsupportedFeature(
      'unsupported-feature',
      'Dependency replacements are only supported for a single go module path.',
    );
  }
  return replacements;
}

/** Edits go.mod in the copy of the source. */
export async function applyReplacements(
  session: GoSession,
  module: RequestedModule,
  replacements: readonly DependencyReplacement[],
): Promise<void> {
  if (replacements.length === 0) return;
  const edits = replacements.map(({ name, newName = name, version }) => {
    // Only what can be a module: never a path, and never another option.
    for (const path of [name, newName]) escapeModulePath(path);
    escapeVersion(version);
    return `-replace=${name}=${newName}@${version}`;
  });
  await session.run(module, ['mod', 'edit', ...edits]);
}

/** A replacement that does nothing is a mistake (prefetch.md 2.3). */
export function assertAllUsed(
  replacements: readonly DependencyReplacement[],
  graph: PackageGraph,
  modules: readonly ModuleVersion[],
): void {
  const used = new Set(
    [...graph.packages.values()].flatMap(({ Module }) => (Module?.Replace ? [Module.Path] : [])),
  );
  const unused = replacements.filter(
    ({ name, newName = name, version }) =>
      !used.has(name) && !modules.some((one) => one.path === newName && one.version === version),
  );
  if (unused.length === 0) return;
  const names = unused.map(({ name }) => name).sort();
  throw new GoModError(
    'package-manager-failed',
    `The following gomod dependency replacements don't apply: ${names.join(', ')}`,
  );
}
