import { posix } from 'node:path';
import {
  BUNDLED,
  DEVELOPMENT,
  INSTALL_SCRIPT,
  MISSING_HASH,
} from '../../domain/bundles/sbom/component-properties.ts';
import { componentRow } from '../../domain/bundles/sbom/component-rows.ts';
import type { SbomComponent } from '../../domain/bundles/sbom-component.ts';
import type { KnownFile } from '../ecosystems/locked-files.ts';
import { type SourceLocation, sourcePurl } from '../ecosystems/package-purl.ts';
import type { LockedDependency, LockedPackage } from './dependency.ts';
import { dependencyPurl, npm, publicDownloadUrl } from './purl.ts';

/** A dependency with what was fetched for it. */
export interface ResolvedDependency<Entry extends LockedPackage = LockedPackage> {
  dependency: LockedDependency<Entry>;
  /** The package's own version; null when nothing tells. */
  version: string | null;
  license: string | null;
  /** What was fetched (for repacked git dependencies: what was packed); null for bundled and `file:` ones. */
  artifact: KnownFile | null;
  bundlePath: string | null;
  /** What else is known of it. */
  properties?: Record<string, string>;
}

/** A package of the source. */
export interface SourcePackage {
  name: string;
  version: string | null;
  license: string | null;
  /** Relative to the source root. */
  directory: string;
}

/** The row of a package of the source. */
export function sourceRow(
  { name, version, license, directory }: SourcePackage,
  source: SourceLocation,
): SbomComponent {
  return componentRow({
    purl: sourcePurl(npm(name, version), source, directory),
    name,
    version,
    isSourcePackage: true,
    ...(license === null ? {} : { license }),
  });
}

export function dependencyRow(
  resolved: ResolvedDependency,
  { lockPath, directory }: { lockPath: string; directory: string },
  source: SourceLocation,
): SbomComponent {
  const { dependency, version, license, artifact, bundlePath, properties } = resolved;
  const { entry, kind } = dependency;
  const isUnverified = kind === 'registry' && dependency.expected.length === 0;
  return componentRow({
    purl: dependencyPurl(dependency, version, source, directory),
    name: entry.name,
    version,
    hashes: artifact ? namedHashes(dependency, artifact) : {},
    ...(artifact?.url && kind !== 'git' ? { distributionUrl: publicDownloadUrl(artifact.url) } : {}),
    ...(license === null ? {} : { license }),
    bundlePaths: bundlePath === null ? [] : [bundlePath],
    properties: {
      ...(entry.bundled ? { [BUNDLED]: 'true' } : {}),
      ...(entry.dev ? { [DEVELOPMENT]: 'true' } : {}),
      ...(entry.hasInstallScript ? { [INSTALL_SCRIPT]: 'true' } : {}),
      ...(isUnverified ? { [MISSING_HASH]: posix.normalize(lockPath) } : {}),
      ...properties,
    },
  });
}

/** sha256 and what the lock file names: the store may know more by chance, which must not show. */
function namedHashes({ expected }: LockedDependency, { digests }: KnownFile): SbomComponent['hashes'] {
  const algorithms = new Set([...expected.map(({ algorithm }) => algorithm), 'sha256' as const]);
  return Object.fromEntries(
    [...algorithms].flatMap((algorithm) => {
      const hex = digests[algorithm];
      return hex === undefined ? [] : [[algorithm, hex]];
    }),
  );
}
