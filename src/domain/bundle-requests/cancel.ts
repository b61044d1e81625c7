import type { Database } from '../database/database.ts';
import { ConflictError } from '../errors.ts';
import type { Principal } from '../identity/principal.ts';
import type { BundleRequest } from './bundle-request.ts';
import { changeRequest } from './change-request.ts';
import { changeState } from './change-state.ts';
import { endRequest } from './run-step.ts';
import { reasonOf } from './state-reasons.ts';

/** Ends a request in progress; running steps notice at once and undo what they began. Idempotent. */
export async function cancelRequest(
  database: Database,
  principal: Principal,
  id: number,
): Promise<BundleRequest> {
  return await changeRequest(database, principal, id, async (tx, request) => {
    if (request.state === 'cancelled') return;
    if (request.state !== 'in_progress') {
      throw new ConflictError(
        `Request ${id} is ${request.state}; only a request in progress can be cancelled`,
      );
    }
    await changeState(tx.sql, request, 'cancelled', reasonOf('cancelled', principal));
    await endRequest(tx, request);
  });
}
