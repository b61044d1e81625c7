import { ValidationError } from '../../domain/errors.ts';
import type { LockedDependency } from './dependency.ts';

const MAX_FILE_NAME = 255;

/** Where the tarball of a dependency lies below `deps/npm` or `deps/yarn` (prefetch.md 3.1). */
export function tarballPath(directory: string, dependency: LockedDependency, version: string): string {
  const { name } = dependency.entry;
  return `${directory}/${tarballDirectory(dependency, name)}/${tarballName(name, version)}`;
}

/** `-external-gitcommit-<commit>` or `-external-<algorithm>-<hex>`; empty for registry tarballs. */
export function externalSuffix(dependency: LockedDependency): string {
  if (dependency.kind === 'git') return `-external-gitcommit-${dependency.commit}`;
  const [digest] = dependency.expected;
  return dependency.kind === 'http' && digest ? `-external-${digest.algorithm}-${digest.hex}` : '';
}

function tarballDirectory(dependency: LockedDependency, name: string): string {
  if (dependency.kind === 'git' && dependency.shorthand) {
    const { host, repositoryPath } = dependency.shorthand;
    return `${host}/${safeSegments(repositoryPath).join('/')}`;
  }
  return dependency.kind === 'git' || dependency.kind === 'http' ? `external-${name}` : name;
}

export function tarballName(name: string, version: string): string {
  const fileName = `${name.replace(/^@/, '').replace('/', '-')}-${version}.tgz`;
  if (Buffer.byteLength(fileName) > MAX_FILE_NAME) {
    throw new ValidationError('invalid-lockfile', `The file name ${fileName} is too long`);
  }
  return fileName;
}

/** `ns/repo` of a shorthand comes from the lock file: nothing that climbs or hides may get through. */
function safeSegments(path: string): string[] {
  const segments = path.replace(/\.git$/, '').split('/');
  if (segments.length < 2 || !segments.every((segment) => /^(?!\.{1,2}$)[\w.~-]+$/.test(segment))) {
    throw new ValidationError('invalid-lockfile', `The repository path ${JSON.stringify(path)} is not valid`);
  }
  return segments;
}
