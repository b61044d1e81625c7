import { randomBytes } from 'node:crypto';
import { close, createReadStream, read } from 'node:fs';
import {
  access,
  constants,
  type FileHandle,
  link,
  mkdir,
  open,
  opendir,
  readdir,
  readFile,
  rename,
  stat,
  unlink,
  utimes,
} from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { InvalidInputError } from '../errors.ts';
import { BlobHash } from './blob-hash.ts';
import { hexOf, missingBlob } from './blob-names.ts';
import type { BlobStore, BlobWriter, ByteRange, Digest, StoredBlob, WriteOptions } from './blob-store.ts';
import { fileReader } from './file-reader.ts';
import { freeSpace, requireFreeSpace } from './free-space.ts';
import { SyncAhead } from './sync-ahead.ts';
import { syncFiles, syncPath } from './sync-files.ts';
import { writeBlob } from './write-blob.ts';
import { writeFully } from './write-fully.ts';

/**
 * Blobs as files: `<root>/sha256/ab/<hex>`, read-only, because hard links to them are handed out. Bytes are written to
 * `<root>/tmp/<pid>-<random>` while they are hashed and get their name when they are complete.
 */
export class FileBlobStore implements BlobStore {
  readonly root: string;
  #prepared: Promise<void> | null = null;

  constructor(root: string) {
    this.root = resolve(root);
  }

  async write(
    content: Readable | AsyncIterable<Uint8Array> | Uint8Array,
    options: WriteOptions = {},
  ): Promise<StoredBlob> {
    return await writeBlob(this, content, options);
  }

  async createWriter(options: WriteOptions = {}): Promise<BlobWriter> {
    options.signal?.throwIfAborted();
    await this.#prepare();
    return new FileBlobWriter(this, options);
  }

  /** See {@link syncFiles} for the cost of large batches. */
  async sync(blobs: readonly Digest[]): Promise<void> {
    await syncFiles(
      [...new Set(blobs)].map((digest) => this.localPath(digest)),
      this.root,
    );
  }

  /** Makes a complete file of this file system a blob, durably; its old name goes. The caller has hashed it. */
  async adopt(path: string, { digest, size }: StoredBlob): Promise<void> {
    await this.#prepare();
    await syncPath(path);
    await this.giveName(path, digest, size, 'now');
  }

  /**
   * Names a complete file; false when the store had the blob already, which then is as if written now. A link, unlike a
   * rename, never replaces a durable copy by one that is not. A file of another size is what a power failure left of a
   * batch that was never synced: it is replaced.
   */
  async giveName(
    temporary: string,
    digest: Digest,
    size: number,
    durability: 'now' | 'batch',
  ): Promise<boolean> {
    const path = this.localPath(digest);
    const isNew = await link(temporary, path).then(
      () => true,
      (error: NodeJS.ErrnoException) => (error.code === 'EEXIST' ? false : null),
    );
    const isKept = isNew === false && (await sizeOf(path)) === size && (await touch(path));
    if (isNew || isKept) await unlink(temporary);
    else await rename(temporary, path);
    // A copy that was there already may be one of a batch that is not durable yet.
    if (durability === 'now') await (isKept ? syncFiles([path], this.root) : syncPath(dirname(path)));
    return !isKept;
  }

  read(digest: Digest, range?: ByteRange): Readable {
    const path = this.localPath(digest);
    if (range && range.end <= range.start) return Readable.from([]);
    const part = range ? { start: range.start, end: range.end - 1 } : {};
    return createReadStream(path, {
      ...part,
      highWaterMark: READ_BYTES,
      fs: fileReader(() => missingBlob(digest)),
    });
  }

  /** By descriptor: file handles cost more than the reading where a thousand files are read. */
  readPart(digest: Digest, { start, end }: ByteRange): Promise<Buffer> {
    const path = this.localPath(digest);
    return new Promise((resolve, reject) => {
      fileReader(() => missingBlob(digest)).open(path, 'r', 0, (openError, descriptor) => {
        if (openError) return reject(openError);
        const bytes = Buffer.allocUnsafe(end - start);
        read(descriptor!, bytes, 0, bytes.length, start, (readError, count) => {
          close(descriptor!, () => {
            if (readError) reject(readError);
            else if (count < bytes.length) reject(new Error(`The blob ${digest} is shorter than it was`));
            else resolve(bytes);
          });
        });
      });
    });
  }

  async readWhole(digest: Digest, maxBytes = 64 * 1024 * 1024): Promise<Buffer> {
    const size = await this.size(digest);
    if (size === null) throw missingBlob(digest);
    if (size > maxBytes) {
      throw new InvalidInputError(`The blob ${digest} has ${size} bytes, more than ${maxBytes}`);
    }
    return readFile(this.localPath(digest));
  }

  async size(digest: Digest): Promise<number | null> {
    return sizeOf(this.localPath(digest));
  }

  async delete(digest: Digest, { writtenBefore }: { writtenBefore?: Date } = {}): Promise<void> {
    const path = this.localPath(digest);
    if (!writtenBefore) return await unlink(path).catch(ignoring('ENOENT'));
    const isOld = (stats: { mtimeMs: number } | undefined): boolean =>
      stats !== undefined && stats.mtimeMs < writtenBefore.getTime();
    if (!isOld(await stat(path).catch(ignoring('ENOENT')))) return;
    // Moved away before the last look: who writes from now on makes a new file.
    const aside = temporaryPath(this.root);
    if ((await rename(path, aside).then(() => true, ignoring('ENOENT'))) !== true) return;
    if (!isOld(await stat(aside))) await link(aside, path).catch(ignoring('EEXIST'));
    await unlink(aside);
  }

  /** To `<root>/damaged/<hex>-<time>`. */
  async setAside(digest: Digest): Promise<void> {
    const path = this.localPath(digest);
    const directory = join(this.root, 'damaged');
    await mkdir(directory, { recursive: true });
    await rename(path, join(directory, `${basename(path)}-${Date.now()}`)).catch(ignoring('ENOENT'));
    await syncPath(dirname(path));
  }

  async *list(): AsyncIterable<{ digest: Digest; size: number; writtenAt: Date }> {
    const shards = await readdir(join(this.root, 'sha256')).catch(ignoring('ENOENT'));
    for (const shard of shards ?? []) {
      for await (const entry of await opendir(join(this.root, 'sha256', shard))) {
        if (!/^[0-9a-f]{64}$/.test(entry.name)) continue;
        const stats = await stat(join(entry.parentPath, entry.name)).catch(ignoring('ENOENT'));
        if (stats) yield { digest: `sha256:${entry.name}`, size: stats.size, writtenAt: stats.mtime };
      }
    }
  }

  localPath(digest: Digest): string {
    const hex = hexOf(digest);
    return `${this.root}/sha256/${hex.slice(0, 2)}/${hex}`;
  }

  async check({ space = false }: { space?: boolean } = {}): Promise<void> {
    await this.#prepare();
    await access(join(this.root, 'tmp'), constants.W_OK);
    await access(join(this.root, 'sha256'), constants.W_OK);
    if (space) await requireFreeSpace(this.root);
  }

  async freeBytes(): Promise<number> {
    await this.#prepare();
    return await freeSpace(this.root);
  }

  /** Removes what writers of dead processes left. Returns how many files. */
  async sweepTemporaryFiles(isAlive: (pid: number) => boolean): Promise<number> {
    let removed = 0;
    for (const name of (await readdir(join(this.root, 'tmp')).catch(ignoring('ENOENT'))) ?? []) {
      const pid = Number(/^(\d+)-/.exec(name)?.[1]);
      if (!pid || pid === process.pid || isAlive(pid)) continue;
      await unlink(join(this.root, 'tmp', name)).catch(ignoring('ENOENT'));
      removed += 1;
    }
    return removed;
  }

  /** All 256 directories at once, so that no later write has to make one durable. */
  #prepare(): Promise<void> {
    this.#prepared ??= makeDirectories(this.root).catch((error: unknown) => {
      this.#prepared = null;
      throw error;
    });
    return this.#prepared;
  }
}

async function makeDirectories(root: string): Promise<void> {
  await mkdir(join(root, 'tmp'), { recursive: true });
  const top = join(root, 'sha256');
  await mkdir(top, { recursive: true });
  const present = new Set(await readdir(top));
  const shards = Array.from({ length: 256 }, (_, index) => index.toString(16).padStart(2, '0'));
  const absent = shards.filter((shard) => !present.has(shard));
  if (absent.length === 0) return;
  await Promise.all(absent.map((shard) => mkdir(join(top, shard)).catch(ignoring('EEXIST'))));
  for (const directory of [top, root, dirname(root)]) await syncPath(directory);
}

/** Read at a time: each read costs as much as copying this, so that smaller ones would take longer in all. */
const READ_BYTES = 256 * 1024;

/** Up to this size a blob's bytes wait in memory, so that a small blob costs one write; many are written at a time. */
const MEMORY_LIMIT = 256 * 1024;

/** With a number, the name of a temporary file: unique also where process ids repeat, as in containers. */
const PROCESS_NAME = randomBytes(8).toString('hex');
let writers = 0;

function temporaryPath(root: string): string {
  writers += 1;
  return `${root}/tmp/${process.pid}-${PROCESS_NAME}-${writers}`;
}

class FileBlobWriter implements BlobWriter {
  readonly #files: FileBlobStore;
  readonly #options: WriteOptions;
  readonly #temporary: string;
  readonly #hash = new BlobHash();
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #file: FileHandle | null = null;
  /** Null: of a batch, which is synced later. */
  #ahead: SyncAhead | null = null;
  #written = 0;
  #onDisk = false;
  #finished = false;

  constructor(files: FileBlobStore, options: WriteOptions) {
    this.#files = files;
    this.#options = options;
    this.#temporary = temporaryPath(files.root);
  }

  get size(): number {
    return this.#hash.size;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#finished) throw new Error('The blob is finished');
    this.#options.signal?.throwIfAborted();
    this.#hash.update(chunk);
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.byteLength;
    if (this.#waitingBytes > MEMORY_LIMIT) await this.#spill();
  }

  async commit(): Promise<StoredBlob> {
    if (this.#finished) throw new Error('The blob is finished');
    try {
      return await this.#store();
    } catch (error) {
      await this.abort();
      throw error;
    } finally {
      this.#finished = true;
    }
  }

  async abort(): Promise<void> {
    this.#finished = true;
    this.#waiting = [];
    await this.#close();
    if (this.#onDisk) await unlink(this.#temporary).catch(ignoring('ENOENT'));
    this.#onDisk = false;
  }

  async #store(): Promise<StoredBlob> {
    this.#options.signal?.throwIfAborted();
    const blob = this.#hash.finish(this.#options.expectedDigest);
    const now = this.#options.durability !== 'batch';
    await this.#spill();
    // Content and name are on their way to the disk together. The name is nobody's before both are there.
    const isNew = await this.#files.giveName(this.#temporary, blob.digest, blob.size, 'batch');
    this.#onDisk = false;
    if (now) await this.#makeDurable(blob.digest, isNew);
    await this.#close();
    if (!isNew) this.#options.onPresent?.();
    return blob;
  }

  /** A copy that was there already may be one of a batch that is not durable yet. */
  async #makeDurable(digest: Digest, isNew: boolean): Promise<void> {
    const path = this.#files.localPath(digest);
    if (!isNew) return await syncFiles([path], this.#files.root);
    await this.#ahead!.end();
    await this.#file!.sync();
    // Where the file system has not written the name along with the file, which most do.
    await syncPath(dirname(path));
  }

  async #spill(): Promise<void> {
    if (!this.#file) {
      this.#file = await open(this.#temporary, 'wx', 0o444);
      this.#onDisk = true;
      if (this.#options.durability !== 'batch') this.#ahead = new SyncAhead(this.#file);
    }
    const chunks = this.#waiting;
    this.#written += this.#waitingBytes;
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (chunks.length > 0) await writeFully(this.#file, chunks);
    this.#ahead?.written(this.#written);
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    // What went wrong there has been told to who asked for durable bytes; nobody else needs them.
    await this.#ahead?.end().catch(() => undefined);
    await file?.close();
  }
}

async function sizeOf(path: string): Promise<number | null> {
  const stats = await stat(path).catch(ignoring('ENOENT'));
  return stats?.size ?? null;
}

/** The garbage collection spares what was written lately, also when it was there before. False: it was just deleted. */
async function touch(path: string): Promise<boolean> {
  const now = new Date();
  return (await utimes(path, now, now).then(() => true, ignoring('ENOENT'))) ?? false;
}

/** For `catch`: turns the error into undefined when it has the given code. */
function ignoring(code: string): (error: NodeJS.ErrnoException) => undefined {
  return (error) => {
    if (error.code === code) return undefined;
    throw error;
  };
}
