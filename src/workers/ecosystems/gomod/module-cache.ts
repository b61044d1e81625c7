import { randomBytes } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { copyFile, link, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { BlobStore, StoredBlob } from '../../../domain/storage/blob-store.ts';
import type { Artifact } from '../../downloads/artifact-store.ts';
import type { FileKind, ZipFile } from './module-files.ts';
import { escapeModulePath, escapeVersion, type ModuleVersion } from './module-path.ts';

/**
 * The go command's module cache, which all requests of a data directory share: go itself keeps it safe for many processes
 * at once. Verified files are put there under the names that go looks for, so that it neither fetches nor hashes them.
 */
export class ModuleCache {
  /** GOMODCACHE */
  readonly directory: string;
  readonly #blobs: BlobStore;

  constructor(directory: string, blobs: BlobStore) {
    this.directory = directory;
    this.#blobs = blobs;
  }

  pathOf(kind: FileKind | 'ziphash', module: ModuleVersion): string {
    const folder = join(this.directory, 'cache', 'download', ...escapeModulePath(module.path).split('/'));
    return join(folder, '@v', `${escapeVersion(module.version)}.${kind}`);
  }

  has(kind: FileKind | 'ziphash', module: ModuleVersion): boolean {
    return existsSync(this.pathOf(kind, module));
  }

  async putText(kind: 'info' | 'mod', module: ModuleVersion, file: Artifact): Promise<void> {
    if (!this.has(kind, module)) await this.#put(this.pathOf(kind, module), file);
  }

  /** Only for files whose hash go.sum has: go takes the `.ziphash` as what it computed itself. */
  async putZip(module: ModuleVersion, { artifact, h1 }: ZipFile): Promise<void> {
    if (this.has('ziphash', module) && this.has('zip', module)) return;
    await this.#put(this.pathOf('zip', module), artifact);
    await this.#replace(this.pathOf('ziphash', module), (path) => writeFile(path, h1));
  }

  async #put(path: string, blob: StoredBlob): Promise<void> {
    const local = this.#blobs.localPath(blob.digest);
    await this.#replace(path, async (temporary) => {
      if (local === null) {
        await pipeline(this.#blobs.read(blob.digest), createWriteStream(temporary));
        return;
      }
      // Another file system, or one without hard links: a copy does as well.
      await link(local, temporary).catch(() => copyFile(local, temporary));
    });
  }

  /** go may read at any time: a file is there in full or not at all. */
  async #replace(path: string, write: (temporary: string) => Promise<unknown>): Promise<void> {
    const temporary = `${path}.${randomBytes(6).toString('hex')}.stowage`;
    await mkdir(dirname(path), { recursive: true });
    try {
      await write(temporary);
      await rename(temporary, path);
    } finally {
      // A rename onto another link of the same file leaves both.
      await rm(temporary, { force: true });
    }
  }
}
