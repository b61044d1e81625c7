import { posix } from 'node:path';
import { PackageURL } from 'packageurl-js';
import { publicVcsUrl } from '../../../domain/sources/public-url.ts';
import type { Classified } from './classify.ts';

/** The source of the request, as purls name it. */
export interface SourceLocation {
  repository: string | null;
  commit: string | null;
}

/** A package of the source: the main one, or a gem in one of its directories. `directory` is relative to the source root. */
export function sourcePurl(
  { repository, commit }: SourceLocation,
  name: string,
  version: string | null,
  directory: string,
): string {
  const vcsUrl = repository === null ? null : publicVcsUrl(repository);
  const subpath = posix.normalize(directory);
  return gemPurl(
    name,
    version,
    vcsUrl === null || commit === null ? {} : { vcs_url: `git+${vcsUrl}@${commit}` },
    subpath === '.' ? null : subpath,
  );
}

/** `directory`: of the package that has the dependency. */
export function dependencyPurl(dependency: Classified, source: SourceLocation, directory: string): string {
  const { name, version } = dependency.spec;
  switch (dependency.kind) {
    case 'gem':
      return gemPurl(name, version, {}, null);
    case 'git': {
      const { url, commit } = dependency;
      return gemPurl(name, version, { vcs_url: `git+${publicVcsUrl(url) ?? url}@${commit}` }, null);
    }
    case 'path':
      return sourcePurl(source, name, version, posix.join(directory, dependency.path));
  }
}

function gemPurl(
  name: string,
  version: string | null,
  qualifiers: Record<string, string>,
  subpath: string | null,
): string {
  return new PackageURL(
    'gem',
    undefined,
    name,
    version ?? undefined,
    Object.keys(qualifiers).length > 0 ? qualifiers : undefined,
    subpath ?? undefined,
  ).toString();
}
