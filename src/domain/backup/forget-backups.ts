import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../storage/blob-store.ts';
import { FileBlobStore } from '../storage/file-blob-store.ts';
import { readBlobList } from './backup-files.ts';
import { BACKUP_NAME, BLOBS } from './backup-format.ts';

/** Another process may be about to finish one that is younger. */
const ABANDONED_MS = 24 * 3_600_000;

export interface ForgottenBackups {
  /** Their names, the oldest first. */
  backups: string[];
  blobs: number;
}

/**
 * Removes all but the newest backups of a directory, those that nobody has finished for a day, and the blobs that none of
 * the others needs. While somebody makes another one there all blobs stay, until the next time.
 */
export async function forgetBackups(
  directory: string,
  { keep, signal }: { keep: number; signal: AbortSignal },
): Promise<ForgottenBackups> {
  const backups = (await namesIn(directory)).slice(0, -keep);
  for (const name of backups) {
    // Half of one must not look like one.
    await rename(join(directory, name), join(directory, `.${name}`));
    await rm(join(directory, `.${name}`), { recursive: true, force: true });
  }
  if (!(await removeAbandoned(directory))) return { backups, blobs: 0 };
  return { backups, blobs: await removeUnneeded(directory, signal) };
}

async function namesIn(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => BACKUP_NAME.test(name)).sort();
}

async function unfinishedIn(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => name.startsWith('.') && BACKUP_NAME.test(name.slice(1)));
}

/** False: one is being made. */
async function removeAbandoned(directory: string): Promise<boolean> {
  for (const name of await unfinishedIn(directory)) {
    const path = join(directory, name);
    const { mtimeMs } = await stat(path);
    if (mtimeMs > Date.now() - ABANDONED_MS) return false;
    await rm(path, { recursive: true, force: true });
  }
  return true;
}

async function removeUnneeded(directory: string, signal: AbortSignal): Promise<number> {
  const writtenBefore = new Date();
  const needed = new Set<Digest>();
  for (const name of await namesIn(directory)) {
    for await (const { digest } of readBlobList(join(directory, name))) needed.add(digest);
  }
  const store = new FileBlobStore(join(directory, BLOBS));
  let removed = 0;
  for await (const { digest, writtenAt } of store.list()) {
    signal.throwIfAborted();
    if (needed.has(digest) || writtenAt >= writtenBefore) continue;
    // Whoever begins a backup now writes all rows before it looks for blobs.
    if ((await unfinishedIn(directory)).length > 0) break;
    await store.delete(digest, { writtenBefore });
    removed += 1;
  }
  return removed;
}
