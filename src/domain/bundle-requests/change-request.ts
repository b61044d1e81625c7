import type { Database, Transaction } from '../database/database.ts';
import { lockRequest } from '../database/sql/bundle-request-rows.ts';
import { type Principal, requireScope } from '../identity/principal.ts';
import type { BundleRequest } from './bundle-request.ts';
import { requireChange } from './permissions.ts';

/** What its users do to a request: under its row's lock, all of it or nothing. Gives the request as it is then. */
export async function changeRequest(
  database: Database,
  principal: Principal,
  id: number,
  change: (tx: Transaction, request: BundleRequest) => Promise<void>,
): Promise<BundleRequest> {
  // Before anything is locked or said about what there is.
  requireScope(principal, 'read');
  return await database.transaction(async (tx) => {
    const request = await lockRequest(tx.sql, id);
    await requireChange(tx, principal, request);
    await change(tx, request);
    return await lockRequest(tx.sql, id);
  });
}
