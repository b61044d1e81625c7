import { readdir, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { findWorkers } from '../domain/database/sql/release-dead-workers.ts';
import { isProcessAlive } from '../domain/process-alive.ts';
import { removeTree } from './remove-tree.ts';
import type { WorkerContext } from './worker-context.ts';

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Of a process that cannot be looked for: it is on another machine that uses the same directory, or was before a restart. */
const SILENT_MS = 3_600_000;

/**
 * Removes what workers that are gone have left in this data directory, whoever has released their jobs: that may have been
 * a worker of another machine.
 */
export async function removeAbandonedDirectories({ database, temporaryRoot }: WorkerContext): Promise<void> {
  const parent = dirname(temporaryRoot);
  const names = (await readdir(parent)).filter(
    (name) => ID.test(name) && join(parent, name) !== temporaryRoot,
  );
  if (names.length === 0) return;
  const workers = new Map((await findWorkers(database.sql, names)).map((worker) => [worker.id, worker]));
  for (const name of names) {
    const directory = join(parent, name);
    const worker = workers.get(name);
    const isOfThisHost = worker?.host === hostname();
    if (isOfThisHost && isProcessAlive(worker.pid)) continue;
    // A worker that is just starting is not known yet.
    const seenAt = worker?.heartbeatAt ?? (await timeOf(directory));
    if (isOfThisHost || Date.now() - seenAt.getTime() > SILENT_MS) await removeTree(directory);
  }
}

/** Now, if another worker has just removed it. */
async function timeOf(directory: string): Promise<Date> {
  return await stat(directory).then(
    ({ mtime }) => mtime,
    () => new Date(),
  );
}
