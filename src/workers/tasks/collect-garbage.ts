import type { Task } from 'graphile-worker';
import { collectGarbage as collect } from '../../domain/garbage/collect-garbage.ts';
import { graceOf } from '../../domain/garbage/garbage.ts';
import type { WorkerContext } from '../worker-context.ts';

/** Every so many runs of this process, and in its first one, the whole store is looked through. */
const RUNS_BETWEEN_LISTINGS = 144;

/** Removes what nobody needs any more; see the domain's own collector. */
export function collectGarbage({ database, blobs, settings, logger, shutdown }: WorkerContext): Task {
  let runs = 0;
  return async () => {
    const run = await collect({
      database,
      blobs,
      grace: graceOf(settings.garbageGraceSeconds),
      strayFiles: runs % RUNS_BETWEEN_LISTINGS === 0,
      signal: shutdown,
    });
    if (run === null) return logger.debug('another process is collecting garbage');
    runs += 1;
    if (Object.keys(run.removed).length > 0) logger.info({ removed: run.removed }, 'garbage removed');
  };
}
