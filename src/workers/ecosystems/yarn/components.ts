import { ComponentRows } from '../../../domain/bundles/sbom/component-rows.ts';
import type { SbomComponent } from '../../../domain/bundles/sbom-component.ts';
import { dependencyRow, type ResolvedDependency, sourceRow } from '../../javascript-packages/components.ts';
import type { SourceLocation } from '../package-purl.ts';
import type { PlacedEntry } from './classify.ts';
import { createPatternLookup, PatternIndex } from './pattern-index.ts';
import { type AnyYarnProject, patternsOf, REQUIREMENT_FIELDS } from './project.ts';

export interface ResolvedYarnPackage {
  project: AnyYarnProject;
  dependencies: readonly ResolvedDependency<PlacedEntry>[];
}

/** The SBOM's rows (prefetch.md 13.2), one for each package that differs in purl or bytes. */
export function yarnComponents(
  packages: readonly ResolvedYarnPackage[],
  source: SourceLocation,
): SbomComponent[] {
  const rows = new ComponentRows();
  for (const one of packages) addPackage(rows, one, source);
  return rows.sorted();
}

function addPackage(
  rows: ComponentRows,
  { project, dependencies }: ResolvedYarnPackage,
  source: SourceLocation,
): void {
  const { name, version, license, manifest, files } = project;
  const { lockFile: lockPath, directory } = files;
  const refs = new Map<PlacedEntry, string>();
  for (const resolved of dependencies) {
    refs.set(resolved.dependency.entry, rows.add(dependencyRow(resolved, { lockPath, directory }, source)));
  }
  const lookup = createPatternLookup(new PatternIndex([...refs.keys()]), manifest);
  const refsOf = (patterns: readonly string[]) =>
    patterns.flatMap((pattern) => {
      const entry = lookup(pattern);
      return entry ? [refs.get(entry)!] : [];
    });
  for (const [entry, ref] of refs) rows.connect(ref, refsOf(entry.dependencies));
  // Without a name nothing can depend on it.
  if (name === null) return;
  rows.connect(rows.add(sourceRow({ name, version, license, directory }, source)), [
    ...refsOf(patternsOf(manifest, REQUIREMENT_FIELDS)),
    // Nobody need ask for a workspace: it belongs to the package.
    ...[...refs].flatMap(([entry, ref]) => (entry.block === null ? [ref] : [])),
  ]);
}
