import { posix } from 'node:path';
import { PackageURL } from 'packageurl-js';
import { publicVcsUrl, withoutCredentials } from '../../domain/sources/public-url.ts';
import { maskCredentials } from '../downloads/mask-credentials.ts';
import type { LockedDependency } from './dependency.ts';

/** The source of the request, as purls name it. */
export interface SourceLocation {
  repository: string | null;
  commit: string | null;
}

/** A package of the source: the main one, or a workspace (prefetch.md 3.2). `directory` is relative to the source root. */
export function sourcePurl(
  source: SourceLocation,
  name: string,
  version: string | null,
  directory: string,
): string {
  const subpath = posix.normalize(directory);
  const vcsUrl = source.repository === null ? null : publicVcsUrl(source.repository);
  return npmPurl(
    name,
    version,
    vcsUrl === null || source.commit === null ? {} : { vcs_url: `git+${vcsUrl}@${source.commit}` },
    subpath === '.' ? null : subpath,
  );
}

/** `version` is that of the package itself, without the suffix of repacked ones. */
export function dependencyPurl(
  dependency: LockedDependency,
  version: string | null,
  source: SourceLocation,
  directory: string,
): string {
  const { name } = dependency.entry;
  switch (dependency.kind) {
    case 'registry':
    case 'bundled':
      return npmPurl(name, version, {}, null);
    case 'file':
      return sourcePurl(source, name, version, posix.join(directory, dependency.path));
    case 'git':
      return npmPurl(
        name,
        version,
        { vcs_url: `git+${publicVcsUrl(dependency.url) ?? dependency.url}@${dependency.commit}` },
        null,
      );
    case 'http': {
      const [digest] = dependency.expected;
      const checksum = digest ? { checksum: `${digest.algorithm}:${digest.hex}` } : {};
      return npmPurl(name, version, { download_url: publicDownloadUrl(dependency.url), ...checksum }, null);
    }
  }
}

/** Tokens are written as queries, too. */
export function publicDownloadUrl(url: string): string {
  return maskCredentials(withoutCredentials(url));
}

function npmPurl(
  fullName: string,
  version: string | null,
  qualifiers: Record<string, string>,
  subpath: string | null,
): string {
  const lower = fullName.toLowerCase();
  const slash = lower.lastIndexOf('/');
  const namespace = slash < 0 ? undefined : lower.slice(0, slash);
  return new PackageURL(
    'npm',
    namespace,
    lower.slice(slash + 1),
    version ?? undefined,
    Object.keys(qualifiers).length > 0 ? qualifiers : undefined,
    subpath ?? undefined,
  ).toString();
}
