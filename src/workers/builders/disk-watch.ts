import type { Dirent } from 'node:fs';
import { lstat, opendir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const INTERVAL_MS = 250;
/** The file system may lose and win space for other reasons: now and then it is looked closer. */
const CLOSE_LOOK_MS = 15_000;
const LEAST_FREE = 256 * 1024 ** 2;
/** An empty file takes an entry and an inode. */
const ENTRY_BYTES = 1024;

/**
 * Calls `onFull` once when the directories have grown by more than `mostBytes`, or when their file system is about to be
 * full. Free space is asked for often, as it costs nothing; files are counted only when it has shrunk enough.
 */
export class DiskWatch {
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

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
    const { signal } = this.#stop;
    const free = async (): Promise<number> => {
      const { bavail, bsize } = await statfs(directories[0]!);
      return bavail * bsize;
    };
    const freeAtStart = await free();
    const sizeAtStart = await sizeOf(directories, signal);
    let lastLook = Date.now();
    for (;;) {
      await delay(INTERVAL_MS, undefined, { signal });
      const freeNow = await free();
      if (freeNow < LEAST_FREE) return onFull();
      const mayHaveGrown = freeAtStart - freeNow > mostBytes;
      if (!mayHaveGrown && Date.now() - lastLook < CLOSE_LOOK_MS) continue;
      if ((await sizeOf(directories, signal)) - sizeAtStart > mostBytes) return onFull();
      lastLook = Date.now();
    }
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
