import type { Database } from '../database/database.ts';
import { lockRequest } from '../database/sql/bundle-request-rows.ts';
import { ConflictError } from '../errors.ts';
import { type Principal, requireScope } from '../identity/principal.ts';
import type { BundleRequest } from './bundle-request.ts';
import { changeState } from './change-state.ts';
import { requireChange } from './permissions.ts';
import { endRequest } from './run-step.ts';
import { reasonOf } from './state-reasons.ts';

/** Ends a request in progress; running steps notice at once and undo what they began. Idempotent. */
export async function cancelRequest(
  database: Database,
  principal: Principal,
  id: number,
): Promise<BundleRequest> {
  // Before anything is locked or said about what there is.
  requireScope(principal, 'read');
  return await database.transaction(async (tx) => {
    const request = await lockRequest(tx.sql, id);
    await requireChange(tx, principal, request);
    if (request.state === 'cancelled') return request;
    if (request.state !== 'in_progress') {
      throw new ConflictError(
        `Request ${id} is ${request.state}; only a request in progress can be cancelled`,
      );
    }
    await changeState(tx.sql, request, 'cancelled', reasonOf('cancelled', principal));
    await endRequest(tx, request);
    return await lockRequest(tx.sql, id);
  });
}
