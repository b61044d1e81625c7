import { posix } from 'node:path';
import type { SbomComponent } from '../../domain/bundles/sbom-component.ts';
import type { Artifact } from '../downloads/artifact-store.ts';
import type { LockedDependency, LockedPackage } from './dependency.ts';
import { dependencyPurl, publicDownloadUrl, type SourceLocation, sourcePurl } from './purl.ts';

/** A dependency with what was fetched for it. */
export interface ResolvedDependency<Entry extends LockedPackage = LockedPackage> {
  dependency: LockedDependency<Entry>;
  /** The package's own version; null when nothing tells. */
  version: string | null;
  license: string | null;
  /** What was fetched (for repacked git dependencies: what was packed); null for bundled and `file:` ones. */
  artifact: Artifact | null;
  bundlePath: string | null;
}

/** A package of the source. */
export interface SourcePackage {
  name: string;
  version: string;
  license: string | null;
  /** Relative to the source root. */
  directory: string;
  /** Relative to the source root. */
  lockPath: string;
}

const BUNDLED = 'cdx:npm:package:bundled';
const DEVELOPMENT = 'cdx:npm:package:development';
const INSTALL_SCRIPT = 'stowage:npm:has-install-script';
const MISSING_HASH = 'stowage:missing_hash:in_file';

/** The row of a package of the source. */
export function sourceRow(one: SourcePackage, source: SourceLocation): SbomComponent {
  const purl = sourcePurl(source, one.name, one.version, one.directory);
  return {
    ref: purl,
    purl,
    type: 'library',
    name: one.name,
    version: one.version,
    isSourcePackage: true,
    hashes: {},
    ...(one.license === null ? {} : { license: one.license }),
    bundlePaths: [],
    properties: {},
    dependsOn: [],
  };
}

export function dependencyRow(
  resolved: ResolvedDependency,
  { lockPath, directory }: SourcePackage,
  source: SourceLocation,
): SbomComponent {
  const { dependency, version, license, artifact, bundlePath } = resolved;
  const { entry, kind } = dependency;
  const purl = dependencyPurl(dependency, version, source, directory);
  const isUnverified = kind === 'registry' && dependency.expected.length === 0;
  return {
    ref: purl,
    purl,
    type: 'library',
    name: entry.name,
    version,
    isSourcePackage: false,
    hashes: artifact ? namedHashes(dependency, artifact) : {},
    ...(artifact && kind !== 'git' ? { distributionUrl: publicDownloadUrl(artifact.url) } : {}),
    ...(license === null ? {} : { license }),
    bundlePaths: bundlePath === null ? [] : [bundlePath],
    properties: {
      ...(entry.bundled ? { [BUNDLED]: 'true' } : {}),
      ...(entry.dev ? { [DEVELOPMENT]: 'true' } : {}),
      ...(entry.hasInstallScript ? { [INSTALL_SCRIPT]: 'true' } : {}),
      ...(isUnverified ? { [MISSING_HASH]: posix.normalize(lockPath) } : {}),
    },
    dependsOn: [],
  };
}

/** sha256 and what the lock file names: the store may know more by chance, which must not show. */
function namedHashes({ expected }: LockedDependency, { digests }: Artifact): SbomComponent['hashes'] {
  const algorithms = new Set([...expected.map(({ algorithm }) => algorithm), 'sha256' as const]);
  return Object.fromEntries([...algorithms].map((algorithm) => [algorithm, digests[algorithm]!]));
}

/** Rows by ref; rows that mean the same are merged (prefetch.md 13.1, 13.2). */
export class ComponentRows {
  readonly #rows = new Map<string, SbomComponent>();
  readonly #edges = new Map<string, Set<string>>();

  /** The ref under which the row is kept. */
  add(row: SbomComponent): string {
    for (let attempt = 1; ; attempt++) {
      const ref = attempt === 1 ? row.purl : `${row.purl}#${attempt}`;
      const known = this.#rows.get(ref);
      if (known && !isSameContent(known, row)) continue;
      if (known) mergeRows(known, row);
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

/** Runtime use anywhere wins over development, fetched over bundled; an install script anywhere counts. */
function mergeRows(into: SbomComponent, row: SbomComponent): void {
  for (const flag of [BUNDLED, DEVELOPMENT]) {
    if (row.properties[flag] === undefined) delete into.properties[flag];
  }
  if (row.properties[INSTALL_SCRIPT]) into.properties[INSTALL_SCRIPT] = 'true';
  const missing = new Set(
    [into, row].flatMap(({ properties }) => properties[MISSING_HASH]?.split(',') ?? []),
  );
  if (missing.size > 0) into.properties[MISSING_HASH] = [...missing].sort().join(',');
  into.hashes = { ...row.hashes, ...into.hashes };
  into.bundlePaths = [...new Set([...into.bundlePaths, ...row.bundlePaths])].sort();
  into.isSourcePackage ||= row.isSourcePackage;
  if (row.license !== undefined) into.license ??= row.license;
  if (row.distributionUrl !== undefined) into.distributionUrl ??= row.distributionUrl;
}
