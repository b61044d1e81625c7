import { posix } from 'node:path';
import { MISSING_HASH } from '../../../domain/bundles/sbom/component-properties.ts';
import { ComponentRows, componentRow } from '../../../domain/bundles/sbom/component-rows.ts';
import type { SbomComponent } from '../../../domain/bundles/sbom-component.ts';
import type { Artifact } from '../../downloads/artifact-store.ts';
import { type SourceLocation, sourcePurl } from '../package-purl.ts';
import type { Classified } from './classify.ts';
import type { GemMetadata } from './gem-file.ts';
import type { GemfileLock } from './lock-file.ts';
import { dependencyPurl, gem } from './purl.ts';

/** A dependency with what was fetched for it. */
export interface ResolvedGem {
  dependency: Classified;
  /** The `.gem`; of a git dependency the pack of its commit; null for gems of the source. */
  artifact: Artifact | null;
  bundlePaths: readonly string[];
}

export interface ResolvedGemfile {
  /** As reported. */
  name: string;
  version: string;
  /** Relative to the source root. */
  directory: string;
  lock: GemfileLock;
  gems: readonly ResolvedGem[];
}

/** The SBOM's rows (prefetch.md 13.2), one for each package that differs in purl or bytes. */
export function gemComponents(packages: readonly ResolvedGemfile[], source: SourceLocation): SbomComponent[] {
  const rows = new ComponentRows();
  for (const one of packages) addPackage(rows, one, source);
  return rows.sorted();
}

function addPackage(rows: ComponentRows, one: ResolvedGemfile, source: SourceLocation): void {
  const { name, version, directory, lock, gems } = one;
  const refs = new Map<string, string>();
  for (const resolved of gems)
    refs.set(resolved.dependency.spec.name, rows.add(gemRow(resolved, one, source)));
  // A gem that comes with Ruby or Bundler has no row.
  const refsOf = (names: readonly string[]) => names.flatMap((other) => refs.get(other) ?? []);
  for (const { dependency } of gems) {
    const { spec } = dependency;
    rows.connect(refs.get(spec.name)!, refsOf(spec.dependencies));
  }
  const purl = sourcePurl(gem(name, version), source, directory);
  const main = rows.add(componentRow({ purl, name, version, isSourcePackage: true }));
  rows.connect(main, refsOf(lock.dependencies));
}

function gemRow(
  { dependency, artifact, bundlePaths }: ResolvedGem,
  { directory, lock }: ResolvedGemfile,
  source: SourceLocation,
): SbomComponent {
  const { kind, spec } = dependency;
  const isGem = kind === 'gem';
  const license = isGem ? (artifact?.metadata as GemMetadata | null)?.license : null;
  const isUnverified = isGem && dependency.expected.length === 0;
  return componentRow({
    purl: dependencyPurl(dependency, source, directory),
    name: spec.name,
    version: spec.version,
    hashes: artifact?.digests ?? {},
    ...(isGem && artifact ? { distributionUrl: artifact.url } : {}),
    ...(license ? { license } : {}),
    bundlePaths: [...bundlePaths],
    properties: isUnverified ? { [MISSING_HASH]: posix.normalize(lock.path) } : {},
  });
}
