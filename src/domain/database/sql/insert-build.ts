import type { ImageBuild } from '../../images/image-build.ts';
import { currentSpan } from '../../tracing/span.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import { recordBuildEvent } from './record-build-event.ts';

export type NewBuild = Pick<
  ImageBuild,
  'versionId' | 'projectId' | 'userId' | 'uploadId' | 'repository' | 'requestedRef' | 'requestId' | 'options'
>;

/** A new build in its first state, with its first event; its job comes when its project has a place for it. */
export async function insertBuild(sql: SqlExecutor, build: NewBuild): Promise<number> {
  const [row] = await sql.query<{ id: number }>(
    `insert into image_builds
       (version_id, project_id, user_id, upload_id, repository, requested_ref, request_id, options, state,
        trace_parent)
     values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, 'queued', $9) returning id`,
    [
      build.versionId,
      build.projectId,
      build.userId,
      build.uploadId,
      build.repository,
      build.requestedRef,
      build.requestId,
      JSON.stringify(build.options),
      currentSpan()?.traceparent ?? null,
    ],
  );
  await recordBuildEvent(sql, row!.id, 'state', { state: 'queued', attempt: 0 });
  return row!.id;
}
