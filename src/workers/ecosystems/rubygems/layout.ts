import { ValidationError } from '../../../domain/errors.ts';
import { withoutCredentials } from '../../../domain/sources/public-url.ts';
import { isGitDirectoryName } from '../../../domain/sources/source-path.ts';
import { bundlePath, repositoryFolders } from '../bundle-layout.ts';

/** Where gems lie in the bundle (prefetch.md 7.1). */
export const RUBYGEMS_DIRECTORY = 'deps/rubygems';
/** All gems in one folder, as Bundler's own cache has them (cachito.md 4.5). */
export const CACHE_DIRECTORY = 'deps/rubygems-cache';

export function gemFileName(name: string, version: string): string {
  return `${name}-${version}.gem`;
}

/** `<gem>/<gem>-<version>.gem` */
export function gemPath(name: string, version: string): string {
  return bundlePath(RUBYGEMS_DIRECTORY, [name, gemFileName(name, version)]);
}

export function cachedGemPath(name: string, version: string): string {
  return bundlePath(CACHE_DIRECTORY, [gemFileName(name, version)]);
}

/** `<host>/<namespace…>/<repo>/<repo>-external-gitcommit-<commit>/app`: a work tree with its `.git`. */
export function workTreePath(url: string, commit: string): string {
  const folders = repositoryFolders(url);
  if (folders.some(isGitDirectoryName)) {
    // It could lie in the git directory of another dependency.
    throw new ValidationError(
      'path-outside-root',
      `The repository ${withoutCredentials(url)} has no usable path`,
    );
  }
  const repository = folders.length > 1 ? folders.at(-1)! : '';
  return bundlePath(RUBYGEMS_DIRECTORY, [...folders, `${repository}-external-gitcommit-${commit}`, 'app']);
}
