/**
 * One row of the native SBOM (prefetch.md 13.2), independent of its format. Rows of all package managers are merged by
 * `purl`, see there for the rules.
 */
export interface SbomComponent {
  /** Unique in one resolution; the purl unless the same purl stands for different bytes. */
  ref: string;
  purl: string;
  type: 'library' | 'file';
  name: string;
  version: string | null;
  /** True for the packages of the source itself: the root depends on them. */
  isSourcePackage: boolean;
  /** What was fetched. sha256 always when anything was fetched, upstream's digests besides. Hex. */
  hashes: Partial<Record<'md5' | 'sha1' | 'sha256' | 'sha384' | 'sha512', string>>;
  /** Original upstream URL of the fetched file. */
  distributionUrl?: string;
  /** SPDX expression or name as the artefact's metadata states it. */
  license?: string;
  /** Paths of the fetched file inside the bundle. */
  bundlePaths: string[];
  /** Relative to the source root: the lock files that name a component that was not fetched. */
  lockFiles?: string[];
  /** E.g. `cdx:npm:package:development` = `true`; only those that are set. */
  properties: Record<string, string>;
  /** Refs of direct dependencies, where the lock file gives the graph; null when it does not. */
  dependsOn: string[] | null;
}
