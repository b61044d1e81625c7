import type { SbomComponent } from '../../../domain/bundles/sbom-component.ts';
import { withoutCredentials } from '../../../domain/sources/public-url.ts';
import type { Artifact } from '../../downloads/artifact-store.ts';
import type { Planned } from './plan.ts';
import type { ProjectMetadata } from './project-metadata.ts';
import { gitPurl, releasePurl, type SourceLocation, sourcePurl, urlPurl } from './purl.ts';
import type { SdistMetadata } from './sdist.ts';

/** A dependency with one file that was fetched for it. */
export interface ResolvedFile {
  planned: Planned;
  /** As reported. */
  name: string;
  version: string;
  isWheel: boolean;
  artifact: Artifact;
  bundlePath: string;
}

export interface ResolvedPipPackage {
  /** Relative to the source root. */
  directory: string;
  metadata: ProjectMetadata;
  files: readonly ResolvedFile[];
}

const BINARY = 'stowage:pip:package:binary';
const BUILD = 'stowage:pip:package:build-dependency';
const MISSING_HASH = 'stowage:missing_hash:in_file';

/**
 * The SBOM's rows (prefetch.md 13.2), one for each package that differs in purl or bytes. Requirements files tell what a
 * package needs, but not what its dependencies need.
 */
export function pipComponents(
  packages: readonly ResolvedPipPackage[],
  source: SourceLocation,
): SbomComponent[] {
  const rows = new ComponentRows();
  for (const { directory, metadata, files } of packages) {
    const refs = new Set(files.map((file) => rows.add(dependencyRow(file))));
    const { name, version } = metadata;
    const purl = sourcePurl(source, name, version, directory);
    rows.add({
      ref: purl,
      purl,
      type: 'library',
      name,
      version,
      isSourcePackage: true,
      hashes: {},
      bundlePaths: [],
      properties: {},
      dependsOn: [...refs].sort(),
    });
  }
  return rows.sorted();
}

function dependencyRow({
  planned,
  name,
  version,
  isWheel,
  artifact,
  bundlePath,
}: ResolvedFile): SbomComponent {
  const purl = dependencyPurl(planned, name, version);
  const isUnverified = planned.kind === 'pypi' && planned.expected.length === 0;
  const license = planned.kind === 'pypi' ? (artifact.metadata as SdistMetadata | null)?.license : null;
  return {
    ref: purl,
    purl,
    type: 'library',
    name,
    version,
    isSourcePackage: false,
    hashes: artifact.digests,
    ...(planned.kind === 'vcs' ? {} : { distributionUrl: withoutCredentials(artifact.url) }),
    ...(license ? { license } : {}),
    bundlePaths: [bundlePath],
    properties: {
      ...(isWheel ? { [BINARY]: 'true' } : {}),
      ...(planned.dev ? { [BUILD]: 'true' } : {}),
      ...(isUnverified ? { [MISSING_HASH]: planned.file.path } : {}),
    },
    dependsOn: null,
  };
}

function dependencyPurl(planned: Planned, name: string, version: string): string {
  switch (planned.kind) {
    case 'pypi':
      return releasePurl(name, version);
    case 'vcs':
      return gitPurl(name, planned.reference.url, planned.reference.commit);
    case 'url':
      return urlPurl(name, planned.reference.url, planned.reference.digest);
  }
}

/** Rows by ref; rows that mean the same are merged (prefetch.md 13.1, 13.2). */
class ComponentRows {
  readonly #rows = new Map<string, SbomComponent>();

  /** The ref under which the row is kept. */
  add(row: SbomComponent): string {
    for (let attempt = 1; ; attempt++) {
      const ref = attempt === 1 ? row.purl : `${row.purl}#${attempt}`;
      const known = this.#rows.get(ref);
      if (known && known.hashes.sha256 !== row.hashes.sha256) continue;
      if (known) merge(known, row);
      else this.#rows.set(ref, { ...row, ref, properties: { ...row.properties } });
      return ref;
    }
  }

  sorted(): SbomComponent[] {
    return [...this.#rows.values()].sort((a, b) => (a.ref < b.ref ? -1 : 1));
  }
}

/** What is needed at run time anywhere is no build dependency; a missing hash anywhere counts. */
function merge(into: SbomComponent, row: SbomComponent): void {
  if (!row.properties[BUILD]) delete into.properties[BUILD];
  const missing = new Set(
    [into, row].flatMap(({ properties }) => properties[MISSING_HASH]?.split(',') ?? []),
  );
  if (missing.size > 0) into.properties[MISSING_HASH] = [...missing].sort().join(',');
  into.hashes = { ...row.hashes, ...into.hashes };
  into.bundlePaths = [...new Set([...into.bundlePaths, ...row.bundlePaths])].sort();
  if (into.dependsOn || row.dependsOn) {
    into.dependsOn = [...new Set([...(into.dependsOn ?? []), ...(row.dependsOn ?? [])])].sort();
  }
}
