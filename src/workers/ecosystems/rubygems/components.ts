import { posix } from 'node:path';
import type { SbomComponent } from '../../../domain/bundles/sbom-component.ts';
import type { Artifact } from '../../downloads/artifact-store.ts';
import type { Classified } from './classify.ts';
import type { GemMetadata } from './gem-file.ts';
import type { GemfileLock } from './lock-file.ts';
import { dependencyPurl, type SourceLocation, sourcePurl } from './purl.ts';

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

const MISSING_HASH = 'stowage:missing_hash:in_file';

/** The SBOM's rows (prefetch.md 13.2), one for each package that differs in purl or bytes. */
export function gemComponents(packages: readonly ResolvedGemfile[], source: SourceLocation): SbomComponent[] {
  const rows = new ComponentRows();
  for (const one of packages) addPackage(rows, one, source);
  return rows.sorted();
}

function addPackage(rows: ComponentRows, one: ResolvedGemfile, source: SourceLocation): void {
  const { name, version, directory, lock, gems } = one;
  const refs = new Map<string, string>();
  for (const gem of gems) refs.set(gem.dependency.spec.name, rows.add(gemRow(gem, one, source)));
  // A gem that comes with Ruby or Bundler has no row.
  const refsOf = (names: readonly string[]) => names.flatMap((gem) => refs.get(gem) ?? []);
  for (const { dependency } of gems) {
    const { spec } = dependency;
    rows.connect(refs.get(spec.name)!, refsOf(spec.dependencies));
  }
  const purl = sourcePurl(source, name, version, directory);
  const main = rows.add({
    ref: purl,
    purl,
    type: 'library',
    name,
    version,
    isSourcePackage: true,
    hashes: {},
    bundlePaths: [],
    properties: {},
    dependsOn: [],
  });
  rows.connect(main, refsOf(lock.dependencies));
}

function gemRow(
  { dependency, artifact, bundlePaths }: ResolvedGem,
  { directory, lock }: ResolvedGemfile,
  source: SourceLocation,
): SbomComponent {
  const { kind, spec } = dependency;
  const purl = dependencyPurl(dependency, source, directory);
  const isGem = kind === 'gem';
  const license = isGem ? (artifact?.metadata as GemMetadata | null)?.license : null;
  const isUnverified = isGem && dependency.expected.length === 0;
  return {
    ref: purl,
    purl,
    type: 'library',
    name: spec.name,
    version: spec.version,
    isSourcePackage: false,
    hashes: artifact?.digests ?? {},
    ...(isGem && artifact ? { distributionUrl: artifact.url } : {}),
    ...(license ? { license } : {}),
    bundlePaths: [...bundlePaths],
    properties: isUnverified ? { [MISSING_HASH]: posix.normalize(lock.path) } : {},
    dependsOn: [],
  };
}

/** Rows by ref; rows that mean the same are merged (prefetch.md 13.1, 13.2). */
class ComponentRows {
  readonly #rows = new Map<string, SbomComponent>();
  readonly #edges = new Map<string, Set<string>>();

  /** The ref under which the row is kept. */
  add(row: SbomComponent): string {
    for (let attempt = 1; ; attempt++) {
      const ref = attempt === 1 ? row.purl : `${row.purl}#${attempt}`;
      const known = this.#rows.get(ref);
      if (known && !isSameContent(known, row)) continue;
      if (known) merge(known, row);
      else this.#rows.set(ref, { ...row, ref, hashes: { ...row.hashes }, properties: { ...row.properties } });
      return ref;
    }
  }

  connect(from: string, to: readonly string[]): void {
    const edges = this.#edges.get(from) ?? new Set();
    for (const ref of to) if (ref !== from) edges.add(ref);
    this.#edges.set(from, edges);
  }

  sorted(): SbomComponent[] {
    return [...this.#rows.values()]
      .map((row) => ({ ...row, dependsOn: [...(this.#edges.get(row.ref) ?? [])].sort() }))
      .sort((a, b) => (a.ref < b.ref ? -1 : 1));
  }
}

function isSameContent(a: SbomComponent, b: SbomComponent): boolean {
  const [first, second] = [a.hashes.sha256, b.hashes.sha256];
  return first === undefined || second === undefined || first === second;
}

/** A missing hash anywhere counts. */
function merge(into: SbomComponent, row: SbomComponent): void {
  const missing = new Set(
    [into, row].flatMap(({ properties }) => properties[MISSING_HASH]?.split(',') ?? []),
  );
  if (missing.size > 0) into.properties[MISSING_HASH] = [...missing].sort().join(',');
  into.hashes = { ...row.hashes, ...into.hashes };
  into.bundlePaths = [...new Set([...into.bundlePaths, ...row.bundlePaths])].sort();
  into.isSourcePackage ||= row.isSourcePackage;
  if (row.license !== undefined) into.license ??= row.license;
}
