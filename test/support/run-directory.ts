import { chmod, mkdtemp, readdir, readFile, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isProcessAlive } from '../../src/domain/process-alive.ts';

/** Linux keeps one file system in memory for all users. */
const MEMORY = '/dev/shm';
/** Several times what a run has at once. */
const ROOM = 4 * 1024 ** 3;
const NAME = /^stowage-test-(\d+)-/;

/**
 * One directory for everything temporary of a run. In memory where there is plenty of it: a run makes and deletes a
 * million small files. Otherwise, and wherever TMPDIR is set, with everything else that is temporary.
 */
export async function makeRunDirectory(): Promise<string> {
  const isInMemory = process.env.TMPDIR === undefined && (await hasRoom());
  if (isInMemory) await removeAbandoned();
  const directory = await mkdtemp(join(isInMemory ? MEMORY : tmpdir(), `stowage-test-${process.pid}-`));
  // Users that a test becomes may look into it, as they may into the system's.
  await chmod(directory, 0o755);
  return directory;
}

async function hasRoom(): Promise<boolean> {
  const mounts = await readFile('/proc/self/mounts', 'utf8').catch(() => '');
  const mount = mounts.split('\n').find((line) => line.split(' ')[1] === MEMORY);
  const [, , type, options = ''] = mount?.split(' ') ?? [];
  // Tests put programs there.
  if (type !== 'tmpfs' || options.split(',').some((option) => option === 'noexec' || option === 'ro'))
    return false;
  const { bavail, bsize } = await statfs(MEMORY);
  return Math.min(bavail * bsize, process.availableMemory()) >= ROOM;
}

/** What a run that was killed has left there takes memory. */
async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(MEMORY)) {
    const [, pid] = NAME.exec(name) ?? [];
    if (pid === undefined || isProcessAlive(Number(pid))) continue;
    await rm(join(MEMORY, name), { recursive: true, force: true }).catch(() => undefined);
  }
}
