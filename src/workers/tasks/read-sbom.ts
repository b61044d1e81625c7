import type { Task } from 'graphile-worker';
import { readAttachedSbom } from '../../domain/registry/attached-sboms.ts';
import type { WorkerContext } from '../worker-context.ts';

/** Notes the packages of an SBOM that was attached to an image. */
export function readSbom(context: WorkerContext): Task {
  return async (payload) => await readAttachedSbom(context, (payload as { manifestId: number }).manifestId);
}
