import { type StatsFs, statfs } from 'node:fs';
import { promisify } from 'node:util';

/** Less is nothing: not even the smallest bundle can be stored. */
const LEAST_BYTES = 1024 * 1024;

/** Throws what a write there would fail with. */
export async function requireFreeSpace(directory: string): Promise<void> {
  const error = noSpace(await promisify(statfs)(directory));
  if (error) throw error;
}

/** Of the file system of a directory. */
export async function freeSpace(directory: string): Promise<number> {
  const { bavail, bsize } = await promisify(statfs)(directory);
  return bavail * bsize;
}

/** `ENOSPC` for a file system that is full: of bytes, or of files where their number is limited. */
export function noSpace({
  bavail,
  bsize,
  files,
  ffree,
}: Pick<StatsFs, 'bavail' | 'bsize' | 'files' | 'ffree'>): NodeJS.ErrnoException | null {
  const isFull = bavail * bsize < LEAST_BYTES || (files > 0 && ffree === 0);
  return isFull ? Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }) : null;
}
