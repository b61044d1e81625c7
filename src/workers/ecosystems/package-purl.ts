import { posix } from 'node:path';
import { PackageURL } from 'packageurl-js';
import { publicVcsUrl } from '../../domain/sources/public-url.ts';

/** The source of the request, as purls name it. */
export interface SourceLocation {
  repository: string | null;
  commit: string | null;
}

/** A package as its purl type names it: what has to be lower case is, and so on. */
export interface PurlIdentity {
  type: string;
  namespace?: string;
  name: string;
  version: string | null;
}

/** `pkg:<type>/<namespace>/<name>@<version>?<qualifiers>#<subpath>` */
export function packagePurl(
  { type, namespace, name, version }: PurlIdentity,
  qualifiers: Record<string, string> = {},
  subpath?: string,
): string {
  return new PackageURL(
    type,
    namespace,
    name,
    version ?? undefined,
    Object.keys(qualifiers).length > 0 ? qualifiers : undefined,
    subpath,
  ).toString();
}

/** A package of the source itself (prefetch.md 2.2, 3.2). `directory` is relative to the source root. */
export function sourcePurl(
  identity: PurlIdentity,
  { repository, commit }: SourceLocation,
  directory: string,
  qualifiers: Record<string, string> = {},
): string {
  const vcsUrl = repository === null ? null : publicVcsUrl(repository);
  const isPublic = vcsUrl !== null && commit !== null;
  const subpath = posix.normalize(directory);
  return packagePurl(
    identity,
    { ...qualifiers, ...(isPublic && { vcs_url: `git+${vcsUrl}@${commit}` }) },
    subpath === '.' ? undefined : subpath,
  );
}

/** The qualifier of a dependency on a commit of a repository. */
export function vcsQualifier(url: string, commit: string): { vcs_url: string } {
  return { vcs_url: `git+${publicVcsUrl(url) ?? url}@${commit}` };
}
