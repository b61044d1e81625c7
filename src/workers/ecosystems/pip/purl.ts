import { posix } from 'node:path';
import { PackageURL } from 'packageurl-js';
import { publicVcsUrl, withoutCredentials } from '../../../domain/sources/public-url.ts';
import type { ExpectedDigest } from '../../downloads/artifact-store.ts';
import { safeName } from './project-name.ts';

/** The source of the request, as purls name it. */
export interface SourceLocation {
  repository: string | null;
  commit: string | null;
}

/** A package of the source. `directory` is relative to the source root. */
export function sourcePurl(
  { repository, commit }: SourceLocation,
  name: string,
  version: string | null,
  directory: string,
): string {
  const vcsUrl = repository === null ? null : publicVcsUrl(repository);
  const subpath = posix.normalize(directory);
  return pypiPurl(
    name,
    version,
    vcsUrl === null || commit === null ? {} : { vcs_url: `git+${vcsUrl}@${commit}` },
    subpath === '.' ? null : subpath,
  );
}

/** `pkg:pypi/<lower-case safe_name>@<version>` */
export function releasePurl(name: string, version: string): string {
  return pypiPurl(name, version, {}, null);
}

export function gitPurl(name: string, url: string, commit: string): string {
  return pypiPurl(name, null, { vcs_url: `git+${publicVcsUrl(url) ?? url}@${commit}` }, null);
}

export function urlPurl(name: string, url: string, { algorithm, hex }: ExpectedDigest): string {
  return pypiPurl(
    name,
    null,
    { download_url: withoutCredentials(url), checksum: `${algorithm}:${hex}` },
    null,
  );
}

function pypiPurl(
  name: string,
  version: string | null,
  qualifiers: Record<string, string>,
  subpath: string | null,
): string {
  return new PackageURL(
    'pypi',
    undefined,
    safeName(name).toLowerCase(),
    version ?? undefined,
    Object.keys(qualifiers).length > 0 ? qualifiers : undefined,
    subpath ?? undefined,
  ).toString();
}
