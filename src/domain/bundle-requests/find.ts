import type { Database } from '../database/database.ts';
import {
  countRequests,
  listRequests,
  type RequestFilter,
  type RequestRange,
} from '../database/sql/list-requests.ts';
import { type Principal, requireScope } from '../identity/principal.ts';
import type { BundleRequest } from './bundle-request.ts';
import { requireView } from './permissions.ts';

/** Throws NotFoundError, also for requests that the principal must not know of. */
export async function getRequest(
  database: Database,
  principal: Principal,
  id: number,
): Promise<BundleRequest> {
  return await requireView(database, principal, { id });
}

/** Requests that the principal may see, newest first (or oldest first). */
export async function findRequests(
  database: Database,
  principal: Principal,
  filter: RequestFilter,
  range: RequestRange,
): Promise<BundleRequest[]> {
  requireScope(principal, 'read');
  return await listRequests(database.sql, principal, filter, range);
}

export async function countVisibleRequests(
  database: Database,
  principal: Principal,
  filter: RequestFilter,
): Promise<number> {
  requireScope(principal, 'read');
  return await countRequests(database.sql, principal, filter);
}
