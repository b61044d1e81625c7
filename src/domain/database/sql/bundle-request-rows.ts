import type { BundleRequest, BundleRequestStep } from '../../bundle-requests/bundle-request.ts';
import { NotFoundError } from '../../errors.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** As text: a Date has no microseconds. */
export function exactTime(column: string): string {
  return `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}

/** Columns of `bundle_requests r` under the names of {@link BundleRequest}. */
export const REQUEST_COLUMNS = `
  r.id, r.project_id as "projectId", r.user_id as "userId", r.submitted_by_id as "submittedById", r.repository,
  r.requested_ref as "requestedRef", r.upload_id as "uploadId", r.commit, r.rules, r.detect,
  r.package_managers as "packageManagers", r.packages, r.flags,
  r.dependency_replacements as "dependencyReplacements", r.strict_integrity as "strictIntegrity", r.priority, r.state,
  r.state_reason as "stateReason", r.updated_at as "updatedAt", r.version, r.attempt,
  r.reasons_recorded as "reasonsRecorded", r.error, r.snapshot_id as "snapshotId", r.bundle_digest as "bundleDigest",
  r.cyclonedx_digest as "cyclonedxDigest", r.spdx_digest as "spdxDigest", r.provenance_digest as "provenanceDigest",
  r.packages_count as "packagesCount", r.dependencies_count as "dependenciesCount", r.created_at as "createdAt",
  r.finished_at as "finishedAt", ${exactTime('r.created_at')} as "createdAtExact",
  ${exactTime('r.updated_at')} as "updatedAtExact"`;

const STEP_COLUMNS = `
  s.id, s.request_id as "requestId", s.task, s.package_manager as "packageManager", s.state, s.attempt,
  s.worker_id as "workerId", s.progress, s.is_idle as "isIdle", s.result_digest as "resultDigest", s.queued_at as "queuedAt",
  s.started_at as "startedAt", s.finished_at as "finishedAt"`;

export async function findRequest(sql: SqlExecutor, id: number): Promise<BundleRequest | null> {
  const rows = await sql.query<BundleRequest>(
    `select ${REQUEST_COLUMNS} from bundle_requests r where r.id = $1`,
    [id],
  );
  return rows[0] ?? null;
}

/** Takes the request's row lock: whoever changes a request or its steps holds it. Throws NotFoundError. */
export async function lockRequest(sql: SqlExecutor, id: number): Promise<BundleRequest> {
  const rows = await sql.query<BundleRequest>(
    `select ${REQUEST_COLUMNS} from bundle_requests r where r.id = $1 for update`,
    [id],
  );
  if (!rows[0]) throw new NotFoundError(`There is no bundle request ${id}`);
  return rows[0];
}

/** Steps in the order in which they are reported: source, managers in the order of the request, assembly. */
export async function findSteps(sql: SqlExecutor, requestId: number): Promise<BundleRequestStep[]> {
  return await findStepsOf(sql, [requestId]);
}

/** Steps of several requests, each in the order of {@link findSteps}. */
export async function findStepsOf(
  sql: SqlExecutor,
  requestIds: readonly number[],
): Promise<BundleRequestStep[]> {
  return await sql.query<BundleRequestStep>(
    `select ${STEP_COLUMNS} from bundle_request_steps s join bundle_requests r on r.id = s.request_id
     where s.request_id = any($1::bigint[])
     order by s.request_id, array_position(array['fetch-source', 'resolve-packages', 'assemble-bundle'], s.task),
       array_position(r.package_managers, s.package_manager)`,
    [requestIds],
  );
}
