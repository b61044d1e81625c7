import { NotFoundError } from '../../errors.ts';
import type { Principal } from '../../identity/principal.ts';
import type { BuildState, ImageBuild } from '../../images/image-build.ts';
import { visibilityParameters, visibleProject } from '../../images/visibility.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import { type IdRange, idPage, idRangeParameters } from './id-range.ts';
import type { LogStreamState } from './read-log-lines.ts';

/** Columns of `image_builds b`, `published_versions v`, `published_images i` under the names of {@link ImageBuild}. */
export const BUILD_COLUMNS = `
  b.id, b.version_id as "versionId", b.project_id as "projectId", b.user_id as "userId", b.upload_id as "uploadId",
  b.repository, b.request_id as "requestId", b.requested_ref as "requestedRef", b.commit, b.options, b.state, b.version,
  b.attempt, b.retries, b.is_admitted as "isAdmitted", b.worker_id as "workerId", b.failure, b.digest,
  b.media_type as "mediaType", b.size, b.base_images as "baseImages", b.builder, b.created_at as "createdAt",
  b.queued_at as "queuedAt", b.started_at as "startedAt", b.finished_at as "finishedAt", b.trace_parent as traceparent, i.id as "imageId",
  i.name as "imageName", i.path as "imagePath", v.name as tag`;

const BUILD_TABLES = `image_builds b join published_versions v on v.id = b.version_id
  join published_images i on i.id = v.image_id`;

export async function findBuildRow(sql: SqlExecutor, id: number): Promise<ImageBuild | null> {
  const [row] = await sql.query<ImageBuild>(`select ${BUILD_COLUMNS} from ${BUILD_TABLES} where b.id = $1`, [
    id,
  ]);
  return row ?? null;
}

/** Takes the build's row lock: whoever changes a build holds it. Throws NotFoundError. */
export async function lockBuild(sql: SqlExecutor, id: number): Promise<ImageBuild> {
  const [row] = await sql.query<ImageBuild>(
    `select ${BUILD_COLUMNS} from ${BUILD_TABLES} where b.id = $1 for no key update of b`,
    [id],
  );
  if (!row) throw new NotFoundError(`There is no image build ${id}`);
  return row;
}

/** Those of the given builds that the principal may see. */
export async function findVisibleBuilds(
  sql: SqlExecutor,
  principal: Principal,
  ids: readonly number[],
): Promise<ImageBuild[]> {
  return await sql.query<ImageBuild>(
    `select ${BUILD_COLUMNS} from ${BUILD_TABLES}
     where b.id = any($3::bigint[]) and ${visibleProject('b.project_id', '$1', '$2')}`,
    [...visibilityParameters(principal), ids],
  );
}

/** What is null or absent does not restrict. */
export interface BuildFilter {
  states?: readonly BuildState[] | null | undefined;
  project?: string | null | undefined;
  user?: string | null | undefined;
  imageId?: number | null | undefined;
  versionId?: number | null | undefined;
  requestId?: number | null | undefined;
}

/** Builds that the principal may see, newest first. */
export async function listBuildRows(
  sql: SqlExecutor,
  principal: Principal,
  filter: BuildFilter,
  range: IdRange,
): Promise<ImageBuild[]> {
  return await sql.query<ImageBuild>(
    `select ${BUILD_COLUMNS} from ${BUILD_TABLES} where ${CONDITIONS}
       and ${idPage('b.id', 9, { order: 'desc', inverted: range.inverted })}`,
    [...parametersOf(principal, filter), ...idRangeParameters(range)],
  );
}

export async function countBuildRows(
  sql: SqlExecutor,
  principal: Principal,
  filter: BuildFilter,
): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `select count(*) from ${BUILD_TABLES} where ${CONDITIONS}`,
    parametersOf(principal, filter),
  );
  return row!.count;
}

const CONDITIONS = `${visibleProject('b.project_id', '$1', '$2')}
  and ($3::text[] is null or b.state = any($3))
  and ($4::text is null or b.project_id = (select id from projects where name = $4))
  and ($5::text is null or b.user_id = (select id from users where name = $5))
  and ($6::bigint is null or i.id = $6)
  and ($7::bigint is null or b.version_id = $7)
  and ($8::bigint is null or b.request_id = $8)`;

function parametersOf(principal: Principal, filter: BuildFilter): unknown[] {
  const { states, project, user, imageId, versionId, requestId } = filter;
  return [
    ...visibilityParameters(principal),
    ...[states, project, user, imageId, versionId, requestId].map((one) => one ?? null),
  ];
}

/** Takes the row locks of an image's builds that wait or run, in the order in which everybody takes several. */
export async function lockUnfinishedBuilds(sql: SqlExecutor, imageId: number): Promise<ImageBuild[]> {
  return await sql.query<ImageBuild>(
    `select ${BUILD_COLUMNS} from ${BUILD_TABLES}
     where i.id = $1 and b.state in ('queued', 'running') order by b.id for no key update of b`,
    [imageId],
  );
}

/** A build and the state of its log, by one statement: as of the same moment. */
export async function findBuildWithLog(
  sql: SqlExecutor,
  id: number,
): Promise<{ build: ImageBuild; stream: LogStreamState | null } | null> {
  const [row] = await sql.query<ImageBuild & { stream: LogStreamState | null }>(
    `select ${BUILD_COLUMNS}, (
       select json_build_object('id', s.id, 'lines', s.lines, 'closed', s.closed,
         'compactedLines', s.compacted_lines, 'digest', s.digest)
       from log_streams s where s.subject_type = 'image-build' and s.subject_id = b.id
     ) as stream
     from ${BUILD_TABLES} where b.id = $1`,
    [id],
  );
  if (!row) return null;
  const { stream, ...build } = row;
  return { build, stream };
}

/** Of each build the manifest of its result, as long as the registry has it. */
export async function findManifestsOfBuilds(
  sql: SqlExecutor,
  buildIds: readonly number[],
): Promise<{ id: number; manifestId: number }[]> {
  return await sql.query(
    `select b.id, m.id as "manifestId" from ${BUILD_TABLES}
     join images ri on ri.path = i.path join manifests m on m.image_id = ri.id and m.digest = b.digest
     where b.id = any($1::bigint[])`,
    [buildIds],
  );
}
