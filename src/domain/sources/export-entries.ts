import { chmodSync, closeSync, constants, mkdirSync, openSync, symlinkSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PackReader } from './pack-reader.ts';
import type { PackedEntry } from './source-snapshot.ts';

interface ExportOptions {
  pack: PackReader;
  /** Links that are not are left out. */
  isSafe(link: PackedEntry): boolean;
  signal?: AbortSignal;
}

/** Files up to this size are written without leaving the event loop's turn: several times faster for many. */
const SMALL_FILE = 64 * 1024;
const SMALL_FILES_PER_TURN = 32;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Writes entries into an empty directory. Every directory and file must be new, and links are made when all else is
 * written: no write can go through a link, whatever the entries say.
 */
export async function exportEntries(
  directory: string,
  entries: readonly PackedEntry[],
  { pack, isSafe, signal }: ExportOptions,
): Promise<void> {
  const directories = new DirectoryMaker(directory);
  let written = 0;
  for (const entry of entries) {
    if (entry.mode === '120000') continue;
    signal?.throwIfAborted();
    if (entry.mode === '160000') {
      directories.make(entry.path);
      continue;
    }
    directories.make(parentOf(entry.path));
    await writeFile(join(directory, entry.path), entry, pack);
    written += 1;
    if (written % SMALL_FILES_PER_TURN === 0) await nextTurn();
  }
  for (const entry of entries) {
    if (entry.target === undefined || !isSafe(entry)) continue;
    directories.make(parentOf(entry.path));
    symlinkSync(entry.target, join(directory, entry.path));
  }
}

async function writeFile(path: string, entry: PackedEntry, pack: PackReader): Promise<void> {
  const mode = entry.mode === '100755' ? 0o755 : 0o644;
  const offset = entry.offset ?? 0;
  if (entry.size <= SMALL_FILE) {
    const content = await pack.slice(offset, entry.size);
    const descriptor = openSync(path, NEW_FILE, mode);
    try {
      for (let done = 0; done < content.length; ) done += writeSync(descriptor, content, done);
    } finally {
      closeSync(descriptor);
    }
  } else {
    await using file = await open(path, NEW_FILE, mode);
    await file.writeFile(pack.stream(offset, entry.size));
  }
  if (mode === 0o755) chmodSync(path, mode);
}

class DirectoryMaker {
  readonly #root: string;
  readonly #made = new Set(['']);

  constructor(root: string) {
    this.#root = root;
  }

  make(path: string): void {
    if (this.#made.has(path)) return;
    this.make(parentOf(path));
    mkdirSync(join(this.#root, path));
    this.#made.add(path);
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
