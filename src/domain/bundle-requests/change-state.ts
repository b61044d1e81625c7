import { recordRequestEvent } from '../database/sql/record-request-event.ts';
import type { SqlExecutor } from '../database/sql-executor.ts';
import { ConflictError } from '../errors.ts';
import { openRegistries, revokeRegistries } from '../package-registries/open-and-revoke.ts';
import { type BundleRequest, type RequestError, type RequestState, TRANSITIONS } from './bundle-request.ts';
import { discardRequest } from './discard.ts';

/**
 * The one place where a request changes its state. The caller holds the row lock (`lockRequest`) and passes the row it
 * read under it. Same state and same reason again: nothing happens. Otherwise the time of the change moves, whatever the
 * clock does: clients give up on a request whose time stands still (cachito.md 9).
 *
 * Throws ConflictError for a transition that the table of {@link TRANSITIONS} does not have.
 */
export async function changeState(
  sql: SqlExecutor,
  request: BundleRequest,
  state: RequestState,
  reason: string,
  error: RequestError | null = null,
): Promise<void> {
  if (request.state === state && request.stateReason === reason) return;
  if (!TRANSITIONS[request.state].includes(state)) {
    throw new ConflictError(`State transition is not allowed from ${request.state} to ${state}.`);
  }
  const version = await recordRequestEvent(sql, request.id, 'state', { state, reason });
  await sql.query(
    `with history as (
       insert into bundle_request_states (request_id, version, state, reason, at)
       values ($1, $2, $3, $4, greatest(clock_timestamp(), (
         select updated_at + interval '1 microsecond' from bundle_requests where id = $1
       )))
       returning at
     )
     update bundle_requests
     set state = $3, state_reason = $4, error = case when $3 = 'stale' then error else $5::jsonb end, updated_at = (select at from history),
       finished_at = case when $3 = 'in_progress' then null else coalesce(finished_at, clock_timestamp()) end
     where id = $1`,
    [request.id, version, state, reason, error === null ? null : JSON.stringify(error)],
  );
  if (state === 'complete') await openRegistries({ sql }, request.id);
  else if (state !== 'in_progress') await revokeRegistries({ sql }, request.id);
  if (state === 'stale') await discardRequest(sql, request.id);
  request.state = state;
  request.stateReason = reason;
  request.version = version;
}
