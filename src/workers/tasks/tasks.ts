import type { Task } from 'graphile-worker';
import type { TaskName } from '../../domain/queue/tasks.ts';
import type { WorkerContext } from '../worker-context.ts';
import { applyRetentionOf } from './apply-retention.ts';
import { assembleBundle } from './assemble-bundle.ts';
import { buildImage } from './build-image.ts';
import { collectGarbage } from './collect-garbage.ts';
import { compactLogOf } from './compact-log.ts';
import { expireRequestsOf } from './expire-requests.ts';
import { expireUploadsOf } from './expire-uploads.ts';
import { fetchSource } from './fetch-source.ts';
import { readSbom } from './read-sbom.ts';
import { resolvePackages } from './resolve-packages.ts';
import { scrubStore } from './scrub-store.ts';
import { stepTask } from './step-task.ts';
import { TaskServices } from './task-services.ts';
import { traced } from './traced.ts';

/** Every task of the queue by its name, which is also its file's name. */
export function createTasks(context: WorkerContext): {
  list: Record<TaskName, Task>;
  close(): Promise<void>;
} {
  const services = new TaskServices(context);
  return {
    list: traced(context, {
      'fetch-source': stepTask(services, fetchSource),
      'resolve-packages': stepTask(services, resolvePackages),
      'assemble-bundle': stepTask(services, assembleBundle),
      'compact-log': compactLogOf(context),
      'expire-requests': expireRequestsOf(context),
      'expire-uploads': expireUploadsOf(context),
      'collect-garbage': collectGarbage(context),
      'apply-retention': applyRetentionOf(context),
      'read-sbom': readSbom(context),
      'scrub-store': scrubStore(context),
      'build-image': buildImage(services),
    }),
    close: () => services.close(),
  };
}
