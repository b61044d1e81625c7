import type { BundleFile, BundleLink } from '../../domain/bundles/bundle-file.ts';
import { ValidationError } from '../../domain/errors.ts';
import type { StoredBlob } from '../../domain/storage/blob-store.ts';
import type { StepLog } from './ecosystem.ts';

/** The files of all packages of a request: one for each path, and never two for one. */
export class BundleLayout {
  readonly #files = new Map<string, BundleFile>();
  readonly #links = new Map<string, BundleLink>();
  readonly #owners = new Map<string, string>();
  readonly #folders = new Map<string, string>();
  readonly #log: StepLog;

  constructor(log: StepLog) {
    this.#log = log;
  }

  /** Throws ValidationError when other bytes have the path already (prefetch.md 9). */
  add(
    path: string,
    { digest, size, crc32 }: StoredBlob,
    owner: string,
    mode: BundleFile['mode'] = 0o644,
  ): void {
    if (this.#files.get(path)?.digest === digest) return;
    this.#claim(path, owner);
    this.#files.set(path, { path, mode, digest, size, crc32 });
  }

  addLink(link: BundleLink, owner: string): void {
    if (this.#links.get(link.path)?.target === link.target) return;
    this.#claim(link.path, owner);
    this.#links.set(link.path, link);
  }

  files(): BundleFile[] {
    return byPath([...this.#files.values()]);
  }

  links(): BundleLink[] {
    return byPath([...this.#links.values()]);
  }

  /** Nothing has the path, nothing lies below it, and it lies below nothing that is no folder. */
  #claim(path: string, owner: string): void {
    const folders = parentPaths(path);
    const inTheWay =
      this.#owners.get(path) ??
      this.#folders.get(path) ??
      folders.map((folder) => this.#owners.get(folder)).find((name) => name !== undefined);
    if (inTheWay !== undefined) {
      this.#log.warn(`${inTheWay} and ${owner} have the same path in the bundle: ${path}`);
      throw new ValidationError(
        'package-rejected',
        `The dependencies ${inTheWay} and ${owner} have the same path in the bundle, but not the same content: ${path}`,
      );
    }
    this.#owners.set(path, owner);
    for (const folder of folders) this.#folders.set(folder, owner);
  }
}

function byPath<T extends { path: string }>(list: T[]): T[] {
  return list.sort((a, b) => (a.path < b.path ? -1 : 1));
}

const MAX_FILE_NAME = 255;

/** Names and URLs come from outside: nothing that climbs or hides gets through. Throws ValidationError. */
export function bundlePath(directory: string, parts: readonly string[]): string {
  for (const part of parts) {
    const isSafe = /^[^/\\\0-\x1f\x7f]+$/.test(part) && part !== '.' && part !== '..';
    if (!isSafe || Buffer.byteLength(part) > MAX_FILE_NAME) {
      throw new ValidationError(
        'path-outside-root',
        `The name ${JSON.stringify(part)} cannot be part of a path`,
      );
    }
  }
  return `${directory}/${parts.join('/')}`;
}

/** `[<host>, <namespace…>, <repository>]` of an URL of a git repository, as folders of a bundle are named after it. */
export function repositoryFolders(url: string): string[] {
  const { hostname, pathname } = new URL(url);
  const parts = decoded(pathname)
    .replace(/\/+$/, '')
    .replace(/\.git$/, '')
    .split('/')
    .filter(Boolean);
  return [hostname, ...parts];
}

/** As in a file's name; what is no encoding is taken as it is. */
export function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function parentPaths(path: string): string[] {
  const parents: string[] = [];
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1))
    parents.push(path.slice(0, at));
  return parents;
}
