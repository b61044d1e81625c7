import type { Artifact } from '../downloads/artifact-store.ts';
import type { BundleLayout } from '../ecosystems/bundle-layout.ts';
import type { ResolvedDependency } from './components.ts';
import type { LockedDependency, LockedPackage } from './dependency.ts';
import type { Fetched } from './downloads.ts';
import { integrityOf } from './integrity.ts';
import { tarballPath } from './layout.ts';

/** The tarball that takes the place of what a lock file names. */
export interface Replacement {
  /** Relative to the bundle root. */
  bundlePath: string;
  version: string;
  /** Hex, when it was asked for. */
  sha1: string | undefined;
  /** sha512 of a repacked dependency: what the lock says is true no longer. */
  integrity: string | null;
}

/** Puts what was fetched for a dependency into the bundle; `replacement` is null when nothing was. */
export function placeDependency<Entry extends LockedPackage>(
  dependency: LockedDependency<Entry>,
  ownVersion: string | null,
  { artifacts, repacked }: Fetched,
  { layout, directory }: { layout: BundleLayout; directory: string },
): ResolvedDependency<Entry> & { replacement: Replacement | null } {
  const { entry } = dependency;
  const place = (tarball: Artifact, version: string, integrity: string | null): Replacement => {
    const bundlePath = tarballPath(directory, dependency, version);
    layout.add(bundlePath, tarball, `${entry.name}@${dependency.version}`);
    return { bundlePath, version, sha1: tarball.digests.sha1, integrity };
  };
  const download = artifacts.get(dependency);
  if (download) {
    const { version } = dependency;
    const replacement = place(download, version, null);
    const { bundlePath } = replacement;
    return { dependency, version, license: entry.license, artifact: download, bundlePath, replacement };
  }
  const packed = repacked.get(dependency);
  if (packed) {
    const integrity = integrityOf('sha512', packed.artifact.digests.sha512!);
    const replacement = place(packed.artifact, packed.newVersion, integrity);
    return {
      dependency,
      version: packed.version,
      license: entry.license ?? packed.license,
      artifact: packed.download ?? packed.artifact,
      bundlePath: replacement.bundlePath,
      replacement,
    };
  }
  return {
    dependency,
    version: ownVersion,
    license: entry.license,
    artifact: null,
    bundlePath: null,
    replacement: null,
  };
}
