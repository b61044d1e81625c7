import { execFile } from 'node:child_process';
import { lstat } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Removes a directory that others may have filled. Node's own `rm` holds every entry of a directory in memory (2.6 GB for
 * a million files), and gives up on paths that are longer than the system takes at once; the command does neither.
 */
export async function removeTree(directory: string): Promise<void> {
  const isThere = await lstat(directory).then(
    () => true,
    () => false,
  );
  if (isThere) await run('rm', ['-rf', '--one-file-system', '--', directory]);
}
