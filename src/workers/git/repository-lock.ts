import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, open, readFile, rename, stat, unlink, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { isProcessAlive } from '../../domain/process-alive.ts';

/** Who holds a lock. `started` tells a process from a later one with the same number. */
interface Holder {
  host: string;
  pid: number;
  started: string;
}

const POLL_MS = 50;
/** Holders touch their lock this often, so that holders on other machines can be told from dead ones. */
const TOUCH_MS = 10_000;
const ABANDONED_MS = 60_000;

/** The end of each process-wide queue, by lock file. */
const queues = new Map<string, Promise<void>>();

/**
 * Runs `work` while nobody else, in this process or another, holds the lock file. The lock of a process that died is
 * taken over. Should two ever get in at once, git's own locks still keep the repository whole: this lock is there so that
 * the second one finds the first one's work.
 */
export async function withRepositoryLock<T>(
  file: string,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const before = queues.get(file) ?? Promise.resolve();
  const turn = Promise.withResolvers<void>();
  const queue = before.then(() => turn.promise);
  queues.set(file, queue);
  try {
    await abortable(before, signal);
    const release = await acquire(file, signal);
    try {
      return await work();
    } finally {
      await release();
    }
  } finally {
    turn.resolve();
    if (queues.get(file) === queue) queues.delete(file);
  }
}

async function acquire(file: string, signal: AbortSignal): Promise<() => Promise<void>> {
  while (!(await create(file))) {
    const text = await readFile(file, 'utf8').catch(() => null);
    if (text !== null && !(await isHeld(file, text))) await removeAbandoned(file, text);
    else await wait(POLL_MS, undefined, { signal });
  }
  const timer = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => undefined);
  }, TOUCH_MS);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await unlink(file).catch(() => undefined);
  };
}

/** The content appears with the name: written elsewhere, then linked. */
async function create(file: string): Promise<boolean> {
  const temporary = `${file}.${process.pid}-${randomBytes(6).toString('hex')}`;
  const holder: Holder = { host: hostname(), pid: process.pid, started: startOf(process.pid) };
  const handle = await open(temporary, 'wx');
  await handle.writeFile(JSON.stringify(holder));
  await handle.close();
  try {
    await link(temporary, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    await unlink(temporary);
  }
}

async function isHeld(file: string, text: string): Promise<boolean> {
  let holder: Holder;
  try {
    holder = JSON.parse(text) as Holder;
  } catch {
    return false;
  }
  if (holder.host !== hostname()) {
    const touched = await stat(file).then(
      (stats) => stats.mtimeMs,
      () => 0,
    );
    return Date.now() - touched < ABANDONED_MS;
  }
  if (!isProcessAlive(holder.pid)) return false;
  // The queue of this process has one in acquire() at a time: a lock of our own is one that an earlier release lost.
  return holder.pid !== process.pid && holder.started === startOf(holder.pid);
}

/** Moves the lock away first: of two that see the same dead holder, one gets it, and gives back what is not that. */
async function removeAbandoned(file: string, text: string): Promise<void> {
  const aside = `${file}.${process.pid}-${randomBytes(6).toString('hex')}`;
  try {
    await rename(file, aside);
  } catch {
    return;
  }
  if ((await readFile(aside, 'utf8')) !== text) await link(aside, file).catch(() => undefined);
  await unlink(aside);
}

/** Start time in the kernel's own terms; empty where there is no /proc. */
function startOf(pid: number): string {
  try {
    return (
      readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')[19] ?? ''
    );
  } catch {
    return '';
  }
}

function abortable(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
