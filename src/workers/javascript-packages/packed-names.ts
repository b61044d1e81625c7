import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { JsonObject } from './json-object.ts';

const SECONDS = 60;
const MEGABYTES = 256;
const THREAD = new URL('./packed-names-thread.ts', import.meta.url);

/**
 * The files of a directory that `npm pack` takes, by npm's own rules. The patterns come from the dependency, and npm turns
 * them into regular expressions of which some need hours or all memory: so they run in a thread that can be ended.
 */
export async function packedNames(
  directory: string,
  manifest: JsonObject,
  signal: AbortSignal,
  seconds = SECONDS,
): Promise<string[]> {
  signal.throwIfAborted();
  const thread = new Worker(THREAD, {
    workerData: { path: directory, package: manifest, isProjectRoot: true, edgesOut: new Map() },
    resourceLimits: { maxOldGenerationSizeMb: MEGABYTES },
    env: {},
  });
  const outOfTime = AbortSignal.timeout(seconds * 1000);
  try {
    const [names] = await once(thread, 'message', { signal: AbortSignal.any([signal, outOfTime]) });
    return names as string[];
  } catch (error) {
    signal.throwIfAborted();
    if (outOfTime.aborted) throw new Error(`they take more than ${seconds} seconds`, { cause: error });
    throw error;
  } finally {
    await thread.terminate();
  }
}
