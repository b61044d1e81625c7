import type { NewRequest, RequestEventData } from '../../bundle-requests/bundle-request.ts';
import { currentSpan } from '../../tracing/span.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import { recordRequestEvent } from './record-request-event.ts';

/** A new request in its first state, with its first event and history entry. */
export async function insertRequest(sql: SqlExecutor, request: NewRequest, reason: string): Promise<number> {
  const [row] = await sql.query<{ id: number }>(
    `insert into bundle_requests (project_id, user_id, submitted_by_id, repository, requested_ref, upload_id, rules,
       detect, package_managers, packages, flags, dependency_replacements, strict_integrity, priority,
       trace_parent, state, state_reason, created_at, updated_at)
     select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, $11, $12::jsonb, $13, $14, $15, 'in_progress', $16, at, at
     from clock_timestamp() as now (at)
     returning id`,
    [
      request.projectId,
      request.userId,
      request.submittedById,
      request.repository,
      request.requestedRef,
      request.uploadId,
      request.rules,
      request.detect,
      request.packageManagers,
      JSON.stringify(request.packages),
      request.flags,
      JSON.stringify(request.dependencyReplacements),
      request.strictIntegrity,
      request.priority,
      currentSpan()?.traceparent ?? null,
      reason,
    ],
  );
  const id = row!.id;
  const event: RequestEventData['state'] = { state: 'in_progress', reason };
  const version = await recordRequestEvent(sql, id, 'state', event);
  await sql.query(
    `insert into bundle_request_states (request_id, version, state, reason, at)
     select id, $2, state, state_reason, updated_at from bundle_requests where id = $1`,
    [id, version],
  );
  return id;
}
