import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

const WAIT_MS = 25;
const held = new Map<string, Promise<void>>();

/**
 * One holder of a path at a time, in this process and among the processes of this host. The lock file names its holder's
 * pid: a holder that died does not keep anybody waiting.
 */
export async function withProcessLock<T>(
  path: string,
  work: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const before = held.get(path) ?? Promise.resolve();
  let release = (): void => undefined;
  const mine = new Promise<void>((resolve) => {
    release = resolve;
  });
  const queue = before.then(() => mine);
  held.set(path, queue);
  await before;
  try {
    signal?.throwIfAborted();
    await acquire(path, signal);
    try {
      return await work();
    } finally {
      await rm(path, { force: true });
    }
  } finally {
    release();
    if (held.get(path) === queue) held.delete(path);
  }
}

async function acquire(path: string, signal?: AbortSignal): Promise<void> {
  for (;;) {
    try {
      const file = await open(path, 'wx');
      await file.writeFile(String(process.pid));
      await file.close();
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    await removeIfDead(path);
    await pause(WAIT_MS, undefined, signal ? { signal } : {});
  }
}

async function removeIfDead(path: string): Promise<void> {
  const content = await readFile(path, 'utf8').catch(() => '');
  const pid = Number(content);
  if (!(pid > 0) || isAlive(pid)) return;
  // A rename succeeds for one of those who find the lock dead.
  const aside = `${path}.${randomBytes(4).toString('hex')}`;
  await rename(path, aside).catch(() => undefined);
  await rm(aside, { force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
