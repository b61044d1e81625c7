import { BINARY, BUILD_DEPENDENCY, MISSING_HASH } from '../../../domain/bundles/sbom/component-properties.ts';
import { ComponentRows, componentRow } from '../../../domain/bundles/sbom/component-rows.ts';
import type { SbomComponent } from '../../../domain/bundles/sbom-component.ts';
import { withoutCredentials } from '../../../domain/sources/public-url.ts';
import type { Artifact } from '../../downloads/artifact-store.ts';
import { type SourceLocation, sourcePurl } from '../package-purl.ts';
import type { Planned } from './plan.ts';
import type { ProjectMetadata } from './project-metadata.ts';
import { dependencyPurl, pypi } from './purl.ts';
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
    const refs = files.map((file) => rows.add(dependencyRow(file)));
    const { name, version } = metadata;
    const purl = sourcePurl(pypi(name, version), source, directory);
    rows.add(componentRow({ purl, name, version, isSourcePackage: true, dependsOn: refs }));
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
  const isUnverified = planned.kind === 'pypi' && planned.expected.length === 0;
  const license = planned.kind === 'pypi' ? (artifact.metadata as SdistMetadata | null)?.license : null;
  return componentRow({
    purl: dependencyPurl(planned, name, version),
    name,
    version,
    hashes: artifact.digests,
    ...(planned.kind === 'vcs' ? {} : { distributionUrl: withoutCredentials(artifact.url) }),
    ...(license ? { license } : {}),
    bundlePaths: [bundlePath],
    properties: {
      ...(isWheel ? { [BINARY]: 'true' } : {}),
      ...(planned.dev ? { [BUILD_DEPENDENCY]: 'true' } : {}),
      ...(isUnverified ? { [MISSING_HASH]: planned.file.path } : {}),
    },
    dependsOn: null,
  });
}
