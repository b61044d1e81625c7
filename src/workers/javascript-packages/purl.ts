import { posix } from 'node:path';
import { withoutCredentials } from '../../domain/sources/public-url.ts';
import { maskCredentials } from '../downloads/mask-credentials.ts';
import {
  type PurlIdentity,
  packagePurl,
  type SourceLocation,
  sourcePurl,
  vcsQualifier,
} from '../ecosystems/package-purl.ts';
import type { LockedDependency } from './dependency.ts';

/** `pkg:npm/<scope>/<name>@<version>`, in lower case (prefetch.md 3.2). */
export function npm(fullName: string, version: string | null): PurlIdentity {
  const lower = fullName.toLowerCase();
  const slash = lower.lastIndexOf('/');
  return {
    type: 'npm',
    ...(slash < 0 ? {} : { namespace: lower.slice(0, slash) }),
    name: lower.slice(slash + 1),
    version,
  };
}

/**
 * `version` is that of the package itself, without the suffix of repacked ones; `directory` of the package that has the
 * dependency.
 */
export function dependencyPurl(
  dependency: LockedDependency,
  version: string | null,
  source: SourceLocation,
  directory: string,
): string {
  const identity = npm(dependency.entry.name, version);
  switch (dependency.kind) {
    case 'registry':
    case 'bundled':
      return packagePurl(identity);
    case 'file':
      return sourcePurl(identity, source, posix.join(directory, dependency.path));
    case 'git':
      return packagePurl(identity, vcsQualifier(dependency.url, dependency.commit));
    case 'http': {
      const [digest] = dependency.expected;
      const checksum = digest ? { checksum: `${digest.algorithm}:${digest.hex}` } : {};
      return packagePurl(identity, { download_url: publicDownloadUrl(dependency.url), ...checksum });
    }
  }
}

/** Tokens are written as queries, too. */
export function publicDownloadUrl(url: string): string {
  return maskCredentials(withoutCredentials(url));
}
