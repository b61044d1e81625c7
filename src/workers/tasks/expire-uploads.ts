import type { Task } from 'graphile-worker';
import { deleteUnusedUploads } from '../../domain/database/sql/delete-unused-uploads.ts';
import type { WorkerContext } from '../worker-context.ts';

/** Lets go of uploaded archives that nobody needs any more: sources of builds that ended long ago. */
export function expireUploadsOf({ database, settings, logger }: WorkerContext): Task {
  return async () => {
    const uploads = await deleteUnusedUploads(database.sql, settings.buildSourceLifetime);
    if (uploads > 0) logger.info({ uploads }, 'uploads expired');
  };
}
