import type { Database } from '../database/database.ts';
import { findLatestRequest } from '../database/sql/find-latest-request.ts';
import {
  countRequests,
  findVisibleRequests,
  listRequests,
  listRequestVersions,
  type RequestFilter,
  type RequestRange,
  type RequestVersion,
} from '../database/sql/list-requests.ts';
import {
  type MetricsFilter,
  type MetricsSummary,
  type RequestMetrics,
  readMetricsSummary,
  readRequestMetrics,
} from '../database/sql/request-metrics.ts';
import { InvalidInputError } from '../errors.ts';
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

/** Those of the given requests that exist and that the principal may see, in the order of the numbers. */
export async function findRequestsByNumber(
  database: Database,
  principal: Principal,
  numbers: readonly number[],
): Promise<BundleRequest[]> {
  requireScope(principal, 'read');
  const found = await findVisibleRequests(database.sql, principal, numbers);
  const byNumber = new Map(found.map((request) => [request.id, request]));
  return numbers.map((number) => byNumber.get(number)).filter((request) => request !== undefined);
}

/** Pages counted from 1, for readers that jump: others follow a connection. */
export interface NumberedPage {
  page: number;
  perPage: number;
}

export async function findRequestPage(
  database: Database,
  principal: Principal,
  filter: RequestFilter,
  page: NumberedPage,
): Promise<BundleRequest[]> {
  requireScope(principal, 'read');
  return await listRequests(database.sql, principal, filter, rowsOf(page));
}

/** The same page, for readers that keep what they have read of each version. */
export async function findVersionPage(
  database: Database,
  principal: Principal,
  filter: RequestFilter,
  page: NumberedPage,
): Promise<RequestVersion[]> {
  requireScope(principal, 'read');
  return await listRequestVersions(database.sql, principal, filter, rowsOf(page));
}

/** The newest request for a ref of a repository, named by its path without host and `.git` (cachito.md 1.16). */
export async function findLatest(
  database: Database,
  principal: Principal,
  wanted: { repositoryName: string; ref: string },
): Promise<BundleRequest | null> {
  requireScope(principal, 'read');
  return await findLatestRequest(database.sql, principal, wanted);
}

/** How long the requests took that have ended, newest first. */
export async function findRequestMetrics(
  database: Database,
  principal: Principal,
  filter: MetricsFilter,
  page: NumberedPage,
): Promise<{ items: RequestMetrics[]; total: number }> {
  requireScope(principal, 'read');
  return await readRequestMetrics(database.sql, principal, filter, rowsOf(page));
}

export async function summariseRequestMetrics(
  database: Database,
  principal: Principal,
  filter: MetricsFilter,
): Promise<MetricsSummary> {
  requireScope(principal, 'read');
  return await readMetricsSummary(database.sql, principal, filter);
}

function rowsOf({ page, perPage }: NumberedPage): { offset: number; limit: number } {
  if (page < 1) throw new InvalidInputError('Pages are counted from 1');
  if (perPage < 1 || perPage > MOST_PER_PAGE) {
    throw new InvalidInputError(`A page has from 1 to ${MOST_PER_PAGE} rows`);
  }
  return { offset: (page - 1) * perPage, limit: perPage };
}

const MOST_PER_PAGE = 100;
