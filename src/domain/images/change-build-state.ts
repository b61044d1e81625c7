import { addJob } from '../database/sql/add-job.ts';
import { deleteBuildSecrets } from '../database/sql/build-secrets.ts';
import { closeLog } from '../database/sql/close-log.ts';
import { recordBuildEvent } from '../database/sql/record-build-event.ts';
import type { SqlExecutor } from '../database/sql-executor.ts';
import { ConflictError } from '../errors.ts';
import type { Digest } from '../storage/blob-store.ts';
import { currentSpan } from '../tracing/span.ts';
import {
  BUILD_TRANSITIONS,
  type BuildError,
  type BuildState,
  hasEnded,
  type ImageBuild,
} from './image-build.ts';

/** What comes of a build that succeeded. */
export interface BuildResult {
  digest: Digest;
  mediaType: string;
  size: number;
  baseImages: readonly { name: string; digest: Digest }[];
  builder: { name: string; version: string };
}

export type StateChange =
  /** Another worker takes it up: it keeps its place. */
  | { state: 'queued' }
  /** Somebody wants it again: it waits anew. */
  | { state: 'queued'; isRetry: true }
  | { state: 'running'; workerId: string }
  | { state: 'succeeded'; result: BuildResult }
  | { state: 'failed' | 'cancelled'; failure: BuildError };

/**
 * The one place where a build changes its state. The caller holds the row lock (`lockBuild`), passes the row that it read
 * under it, and calls `admitBuilds` (or, if no place is free for others then, `tellQueuePositions`) afterwards, once for all
 * that it changes. Throws ConflictError for a transition that
 * {@link BUILD_TRANSITIONS} does not have.
 */
export async function changeBuildState(
  sql: SqlExecutor,
  build: ImageBuild,
  change: StateChange,
): Promise<void> {
  if (!BUILD_TRANSITIONS[build.state].includes(change.state)) {
    throw new ConflictError(`A build that is ${build.state} cannot become ${change.state}`);
  }
  const { set, parameters } = columnsOf(change);
  const [row] = await sql.query<{ attempt: number }>(
    `update image_builds set state = $2, ${set} where id = $1 returning attempt`,
    [build.id, change.state, ...parameters],
  );
  build.state = change.state;
  build.attempt = row!.attempt;
  build.version = await recordBuildEvent(sql, build.id, 'state', {
    state: change.state,
    attempt: build.attempt,
    ...('failure' in change && { failure: change.failure }),
    ...('result' in change && { digest: change.result.digest, size: change.result.size }),
  });
  if (hasEnded(build)) await letGo(sql, build.id);
}

/** Nobody needs its secrets any more, its log takes no more lines. */
async function letGo(sql: SqlExecutor, id: number): Promise<void> {
  const subject = { subjectType: 'image-build', subjectId: id } as const;
  await deleteBuildSecrets(sql, id);
  await closeLog(sql, subject);
  await addJob(sql, 'compact-log', subject, { key: `compact-log:image-build:${id}`, priority: 10 });
}

const NO_RESULT =
  'failure = null, digest = null, media_type = null, size = null, base_images = null, builder = null';
const ENDED = 'finished_at = clock_timestamp(), worker_id = null, is_admitted = false';

function columnsOf(change: StateChange): {
  set: string;
  parameters: (BuildState | string | number | null)[];
} {
  if (change.state === 'queued') {
    const set = `worker_id = null, started_at = null, finished_at = null, told_position = null, ${NO_RESULT}`;
    if (!('isRetry' in change)) return { set, parameters: [] };
    const anew =
      'is_admitted = false, retries = retries + 1, queued_at = clock_timestamp(), trace_parent = $3';
    return { set: `${set}, ${anew}`, parameters: [currentSpan()?.traceparent ?? null] };
  }
  if (change.state === 'running') {
    return {
      set: 'attempt = attempt + 1, worker_id = $3, started_at = clock_timestamp()',
      parameters: [change.workerId],
    };
  }
  if (change.state === 'succeeded') {
    const { digest, mediaType, size, baseImages, builder } = change.result;
    return {
      set: `${ENDED}, digest = $3, media_type = $4, size = $5, base_images = $6::jsonb, builder = $7::jsonb`,
      parameters: [digest, mediaType, size, JSON.stringify(baseImages), JSON.stringify(builder)],
    };
  }
  return { set: `${ENDED}, failure = $3::jsonb`, parameters: [JSON.stringify(change.failure)] };
}
