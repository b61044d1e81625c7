import type { Dirent } from 'node:fs';
import { lstat, opendir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const INTERVAL_MS = 250;
/** The file system may lose and win space for other reasons: now and then it is looked closer. */
const CLOSE_LOOK_MS = 15_000;
const LEAST_FREE = 256 * 1024 ** 2;
/** With less than this nobody waits any more for who has written most to be found and ended. */
const NEARLY_NONE = 64 * 1024 ** 2;
/** What somebody who was ended has written is removed meanwhile. */
const REMOVAL_MS = 60_000;
/** An empty file takes an entry and an inode. */
const ENTRY_BYTES = 1024;

/** Of this process, by their file system: when it is about to be full, the one whose build has written most is ended first. */
const watches = new Map<number, Set<DiskWatch>>();
const endedAt = new Map<number, number>();

/**
 * Calls `onFull` once when the directories have grown by more than `mostBytes`, or when their file system is about to be
 * full and no other that is watched has grown more. Free space is asked for often, as it costs nothing; files are counted
 * only when it has shrunk enough.
 */
export class DiskWatch {
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  /** Bytes, as seen since the file system is about to be full; null: it is not, or nobody has looked yet. */
  #written: number | null = null;

  constructor(directories: readonly string[], mostBytes: number, onFull: () => void) {
    this.#done = this.#watch(directories, mostBytes, onFull).catch((error: unknown) => {
      if (!this.#stop.signal.aborted) throw error;
    });
    this.#done.catch(() => onFull());
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done.catch(() => undefined);
  }

  async #watch(directories: readonly string[], mostBytes: number, onFull: () => void): Promise<void> {
    const free = async (): Promise<number> => {
      const { bavail, bsize } = await statfs(directories[0]!);
      return bavail * bsize;
    };
    const { dev } = await stat(directories[0]!);
    const all = watches.get(dev) ?? new Set();
    watches.set(dev, all.add(this));
    try {
      await this.#look(directories, mostBytes, dev, free, onFull);
    } finally {
      all.delete(this);
    }
  }

  async #look(
    directories: readonly string[],
    mostBytes: number,
    fileSystem: number,
    free: () => Promise<number>,
    onFull: () => void,
  ): Promise<void> {
    const { signal } = this.#stop;
    const freeAtStart = await free();
    const sizeAtStart = await sizeOf(directories, signal);
    let lastLook = Date.now();
    for (;;) {
      await delay(INTERVAL_MS, undefined, { signal });
      const freeNow = await free();
      if (freeNow < LEAST_FREE) {
        this.#written = (await sizeOf(directories, signal)) - sizeAtStart;
        if (freeNow >= NEARLY_NONE && !this.#isToEnd(fileSystem)) continue;
        endedAt.set(fileSystem, Date.now());
        return onFull();
      }
      this.#written = null;
      const mayHaveGrown = freeAtStart - freeNow > mostBytes;
      if (!mayHaveGrown && Date.now() - lastLook < CLOSE_LOOK_MS) continue;
      if ((await sizeOf(directories, signal)) - sizeAtStart > mostBytes) return onFull();
      lastLook = Date.now();
    }
  }

  /** When all have looked, and when what the last one has written is removed. */
  #isToEnd(fileSystem: number): boolean {
    if (Date.now() - (endedAt.get(fileSystem) ?? 0) < REMOVAL_MS) return false;
    const written = [...watches.get(fileSystem)!].map((watch) => watch.#written);
    return written.every((bytes) => bytes !== null && bytes <= this.#written!);
  }
}

async function sizeOf(directories: readonly string[], signal: AbortSignal): Promise<number> {
  let bytes = 0;
  const waiting = [...directories];
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    signal.throwIfAborted();
    for await (const entry of entriesOf(directory)) {
      const path = join(directory, entry.name);
      bytes += ENTRY_BYTES;
      if (entry.isDirectory()) waiting.push(path);
      else if (entry.isFile()) {
        const found = await lstat(path).catch(() => null);
        if (found && found.nlink === 1) bytes += found.blocks * 512;
      }
    }
  }
  return bytes;
}

/** One after the other: a step may put a million of them into one directory. What is read may go while it is read. */
async function* entriesOf(directory: string): AsyncGenerator<Dirent> {
  try {
    yield* await opendir(directory, { bufferSize: 256 });
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'EACCES', 'ENAMETOOLONG'].includes((error as NodeJS.ErrnoException).code!))
      throw error;
  }
}
