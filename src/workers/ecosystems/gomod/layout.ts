import type { BundleFile } from '../../../domain/bundles/bundle-file.ts';
import { ValidationError } from '../../../domain/errors.ts';
import type { StoredBlob } from '../../../domain/storage/blob-store.ts';
import { escapeModulePath, escapeVersion, type ModuleVersion } from './module-path.ts';

/** Where module files lie in the bundle (prefetch.md 2.1, 9): go's own download cache. */
export const GOMOD_DIRECTORY = 'deps/gomod';
export const MODULE_CACHE = `${GOMOD_DIRECTORY}/pkg/mod`;
export const DOWNLOAD_DIRECTORY = `${MODULE_CACHE}/cache/download`;

export function versionsDirectory(modulePath: string): string {
  return `${DOWNLOAD_DIRECTORY}/${escapeModulePath(modulePath)}/@v`;
}

export function moduleFilePath(
  { path, version }: ModuleVersion,
  kind: 'info' | 'mod' | 'zip' | 'ziphash',
): string {
  return `${versionsDirectory(path)}/${escapeVersion(version)}.${kind}`;
}

/** The files of all modules of a request: one for each path, and never two for one. */
export class BundleLayout {
  readonly #files = new Map<string, BundleFile>();

  /** Throws ValidationError when other bytes have the path already (prefetch.md 9). */
  add(path: string, { digest, size, crc32 }: StoredBlob): void {
    const known = this.#files.get(path);
    if (known && known.digest !== digest) {
      throw new ValidationError(
        'package-rejected',
        `Two different files have the same path in the bundle: ${path}`,
      );
    }
    this.#files.set(path, { path, mode: 0o644, digest, size, crc32 });
  }

  files(): BundleFile[] {
    return [...this.#files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  }
}
