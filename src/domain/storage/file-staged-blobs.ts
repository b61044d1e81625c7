import { constants, createReadStream } from 'node:fs';
import {
  chmod,
  copyFile,
  type FileHandle,
  mkdir,
  open,
  opendir,
  stat,
  truncate,
  unlink,
} from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { StoredBlob } from './blob-store.ts';
import type { FileBlobStore } from './file-blob-store.ts';
import { fileReader } from './file-reader.ts';
import type { StagedBlob, StagedBlobs } from './staged-blobs.ts';
import { missingStaged, requireStagedName } from './staged-name.ts';
import { SyncAhead } from './sync-ahead.ts';
import { writeFully } from './write-fully.ts';

/** Staged bytes as files `<root>/uploads/<name>`, on the same file system as the blobs, so that they need not move. */
export class FileStagedBlobs implements StagedBlobs {
  readonly #files: FileBlobStore;
  readonly #directory: string;
  #prepared: Promise<unknown> | null = null;

  constructor(files: FileBlobStore) {
    this.#files = files;
    this.#directory = join(files.root, 'uploads');
  }

  async open(name: string, size: number): Promise<StagedBlob> {
    this.#prepared ??= mkdir(this.#directory, { recursive: true });
    await this.#prepared;
    const path = this.#path(name);
    const flags = constants.O_WRONLY | (size === 0 ? constants.O_CREAT : 0);
    const file = await open(path, flags, 0o600).catch(missing(name));
    try {
      const present = (await file.stat()).size;
      if (present < size) throw missingStaged(name);
      if (present > size) await file.truncate(size);
      return new FileStagedBlob(file, size);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  read(name: string, size: number): Readable {
    const path = this.#path(name);
    if (size === 0) return Readable.from([]);
    const fs = fileReader(() => missingStaged(name));
    return createReadStream(path, { end: size - 1, highWaterMark: READ_BYTES, fs });
  }

  async move(name: string, size: number, newName: string): Promise<void> {
    if (size > 0) {
      const target = this.#path(newName);
      await copyFile(this.#path(name), target, constants.COPYFILE_FICLONE).catch(missing(name));
      await truncate(target, size);
    }
    await this.remove(name);
  }

  async commit(name: string, blob: StoredBlob): Promise<void> {
    const path = this.#path(name);
    const stats = await stat(path).catch(missing(name));
    if (stats.size < blob.size) throw missingStaged(name);
    // What came behind it and does not count.
    if (stats.size > blob.size) await truncate(path, blob.size);
    // As all blobs: hard links to them are handed out.
    await chmod(path, 0o444);
    await this.#files.adopt(path, blob);
  }

  async remove(name: string): Promise<void> {
    await unlink(this.#path(name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }

  async *list(): AsyncIterable<{ name: string; writtenAt: Date }> {
    const entries = await opendir(this.#directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    for await (const { name } of entries) {
      const stats = await stat(join(this.#directory, name)).catch(() => null);
      if (stats) yield { name, writtenAt: stats.mtime };
    }
  }

  #path(name: string): string {
    requireStagedName(name);
    return `${this.#directory}/${name}`;
  }
}

const READ_BYTES = 256 * 1024;

/** One write is under way while the next chunks come in. */
class FileStagedBlob implements StagedBlob {
  readonly #file: FileHandle;
  /** Handed to the system: what a killed process has written is there. */
  #kept: number;
  #position: number;
  #writing: Promise<void> = Promise.resolve();
  readonly #ahead: SyncAhead;

  constructor(file: FileHandle, position: number) {
    this.#file = file;
    this.#kept = position;
    this.#position = position;
    this.#ahead = new SyncAhead(file, position);
  }

  get kept(): number {
    return this.#kept;
  }

  async write(chunks: readonly Uint8Array[], onWritten?: () => void): Promise<void> {
    await this.#writing;
    this.#kept = this.#position;
    this.#writing = writeFully(this.#file, chunks, this.#position).then(onWritten);
    this.#position += chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
    // Whoever writes or closes next is told.
    this.#writing.catch(() => undefined);
    this.#ahead.written(this.#position);
  }

  async close(): Promise<void> {
    try {
      await this.#writing;
      await this.#ahead.end();
    } finally {
      await this.#file.close();
    }
  }
}

function missing(name: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    if (error.code === 'ENOENT') throw missingStaged(name);
    throw error;
  };
}
