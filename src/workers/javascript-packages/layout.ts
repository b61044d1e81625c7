import type { BundleFile } from '../../domain/bundles/bundle-file.ts';
import { ValidationError } from '../../domain/errors.ts';
import type { StoredBlob } from '../../domain/storage/blob-store.ts';
import type { StepLog } from '../ecosystems/ecosystem.ts';
import type { LockedDependency } from './dependency.ts';

const MAX_FILE_NAME = 255;

/** Where the tarball of a dependency lies below `deps/npm` or `deps/yarn` (prefetch.md 3.1). */
export function tarballPathBelow(directory: string, dependency: LockedDependency, version: string): string {
  const { name } = dependency.entry;
  return `${directory}/${tarballDirectory(dependency, name)}/${tarballName(name, version)}`;
}

/** `-external-gitcommit-<commit>` or `-external-<algorithm>-<hex>`; empty for registry tarballs. */
export function externalSuffix(dependency: LockedDependency): string {
  if (dependency.kind === 'git') return `-external-gitcommit-${dependency.commit}`;
  const [digest] = dependency.expected;
  return dependency.kind === 'http' && digest ? `-external-${digest.algorithm}-${digest.hex}` : '';
}

/** The files of all packages of a request: one for each path, and never two for one. */
export class BundleLayout {
  readonly #files = new Map<string, BundleFile>();
  readonly #owners = new Map<string, string>();
  readonly #directories = new Map<string, string>();
  readonly #log: StepLog;

  constructor(log: StepLog) {
    this.#log = log;
  }

  /** Throws ValidationError when other bytes have the path already (prefetch.md 9). */
  add(path: string, blob: StoredBlob, owner: string): void {
    const known = this.#files.get(path);
    if (known?.digest === blob.digest) return;
    const folders = parentPaths(path);
    const inTheWay =
      this.#owners.get(path) ??
      this.#directories.get(path) ??
      folders.map((folder) => this.#owners.get(folder)).find((name) => name !== undefined);
    if (inTheWay !== undefined) {
      this.#log.warn(`${inTheWay} and ${owner} have the same path in the bundle: ${path}`);
      throw new ValidationError(
        'invalid-lockfile',
        `The dependencies ${inTheWay} and ${owner} have the same path in the bundle, but not the same content: ${path}`,
      );
    }
    this.#files.set(path, { path, mode: 0o644, ...pickBlob(blob) });
    this.#owners.set(path, owner);
    for (const folder of folders) this.#directories.set(folder, owner);
  }

  files(): BundleFile[] {
    return [...this.#files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  }
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

function parentPaths(path: string): string[] {
  const parents: string[] = [];
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
    parents.push(path.slice(0, at));
  }
  return parents;
}

function pickBlob({ digest, size, crc32 }: StoredBlob): StoredBlob {
  return { digest, size, crc32 };
}
