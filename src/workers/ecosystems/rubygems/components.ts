import { posix } from 'node:path';
import { MISSING_HASH } from '../../../domain/bundles/sbom/component-properties.ts';
import { ComponentRows, componentRow } from '../../../domain/bundles/sbom/component-rows.ts';
import type { SbomComponent } from '../../../domain/bundles/sbom-component.ts';
import type { KnownFile } from '../locked-files.ts';
import { type SourceLocation, sourcePurl } from '../package-purl.ts';
import type { Classified } from './classify.ts';
import type { GemMetadata } from './gem-file.ts';
import type { GemfileLock } from './lock-file.ts';
import { dependencyPurl, gem } from './purl.ts';

/** A dependency with what was fetched for it. */
export interface ResolvedGem {
  dependency: Classified;
  /** The `.gem`; of a git dependency the pack of its commit; null for gems of the source. */
  artifact: (KnownFile & { metadata?: unknown }) | null;
  bundlePaths: readonly string[];
  /** What else is known of it. */
  properties?: Record<string, string>;
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

/** One that is only described has no name: nothing can depend on it. */
type AnyGemfile = Omit<ResolvedGemfile, 'name' | 'version'> & { name: string | null; version: string | null };

/** The SBOM's rows (prefetch.md 13.2), one for each package that differs in purl or bytes. */
export function gemComponents(packages: readonly AnyGemfile[], source: SourceLocation): SbomComponent[] {
  const rows = new ComponentRows();
  for (const one of packages) addPackage(rows, one, source);
  return rows.sorted();
}

function addPackage(rows: ComponentRows, one: AnyGemfile, source: SourceLocation): void {
  const { name, version, directory, lock, gems } = one;
  const added = gems.map((resolved) => ({
    spec: resolved.dependency.spec,
    ref: rows.add(gemRow(resolved, one, source)),
  }));
  // More than one where a gem is locked for several platforms.
  const byName = Map.groupBy(added, ({ spec }) => spec.name);
  // A gem that comes with Ruby or Bundler has no row.
  const refsOf = (names: readonly string[]) =>
    names.flatMap((other) => (byName.get(other) ?? []).map(({ ref }) => ref));
  for (const { spec, ref } of added) rows.connect(ref, refsOf(spec.dependencies));
  if (name === null) return;
  const purl = sourcePurl(gem(name, version), source, directory);
  const main = rows.add(componentRow({ purl, name, version, isSourcePackage: true }));
  rows.connect(main, refsOf(lock.dependencies));
}

function gemRow(
  { dependency, artifact, bundlePaths, properties }: ResolvedGem,
  { directory, lock }: Pick<ResolvedGemfile, 'directory' | 'lock'>,
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
    ...(isGem && artifact?.url ? { distributionUrl: artifact.url } : {}),
    ...(license ? { license } : {}),
    bundlePaths: [...bundlePaths],
    properties: {
      ...(isUnverified ? { [MISSING_HASH]: posix.normalize(lock.path) } : {}),
      ...properties,
    },
  });
}
