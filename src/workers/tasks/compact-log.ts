import type { Task } from 'graphile-worker';
import { compactLog } from '../../domain/logs/compact-log.ts';
import type { LogSubject } from '../../domain/logs/log-line.ts';
import type { WorkerContext } from '../worker-context.ts';

/** Moves a finished log from rows into one blob. */
export function compactLogOf({ database, blobs }: WorkerContext): Task {
  return async (payload) => await compactLog(database, blobs, payload as LogSubject);
}
