import type { BundleRequest, ExactTime } from '../../bundle-requests/bundle-request.ts';
import { visibilityParameters, visibleTo } from '../../bundle-requests/visibility.ts';
import type { Principal } from '../../identity/principal.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import { REQUEST_COLUMNS } from './bundle-request-rows.ts';
import { countVisible, placeOf } from './request-counts.ts';

/** What is null or absent does not restrict. */
export interface RequestFilter {
  states?: readonly string[] | null | undefined;
  repository?: string | null | undefined;
  /** Commit, branch or tag as requested, or the commit that it was resolved to. */
  ref?: string | null | undefined;
  /** Requests that have all of these. */
  packageManagers?: readonly string[] | null | undefined;
  project?: string | null | undefined;
  user?: string | null | undefined;
  createdFrom?: Date | null | undefined;
  /** Exclusive. */
  createdTo?: Date | null | undefined;
  /** Both inclusive. */
  createdSince?: ExactTime | null | undefined;
  createdUntil?: ExactTime | null | undefined;
  /** Of the recorded error. */
  errorOrigin?: string | null | undefined;
  errorType?: string | null | undefined;
  /** Requests whose bundle holds this row of `components`. */
  componentId?: number | null;
}

/** Keyset over ids: between `olderThan` and `newerThan`, exclusive. */
export interface RequestRange {
  olderThan?: number | null;
  newerThan?: number | null;
  /** Newest first when false. */
  inverted?: boolean;
  /** How many of these are left out at the beginning. */
  offset?: number;
  limit: number;
}

/** Requests that the principal may see. */
export async function listRequests(
  sql: SqlExecutor,
  principal: Principal,
  filter: RequestFilter,
  range: RequestRange,
): Promise<BundleRequest[]> {
  return await selectRequests<BundleRequest>(sql, REQUEST_COLUMNS, principal, filter, range);
}

/** All that must be read of a request to see whether it is still as it was. */
export type RequestVersion = Pick<BundleRequest, 'id' | 'version'>;

export async function listRequestVersions(
  sql: SqlExecutor,
  principal: Principal,
  filter: RequestFilter,
  range: RequestRange,
): Promise<RequestVersion[]> {
  return await selectRequests<RequestVersion>(sql, 'r.id, r.version', principal, filter, range);
}

export async function findVisibleVersions(
  sql: SqlExecutor,
  principal: Principal,
  ids: readonly number[],
): Promise<RequestVersion[]> {
  return await sql.query<RequestVersion>(
    `select r.id, r.version from bundle_requests r where r.id = any($3::bigint[]) and ${visibleTo('$1', '$2')}`,
    [...visibilityParameters(principal), ids],
    { prepared: true },
  );
}

async function selectRequests<Row extends object>(
  sql: SqlExecutor,
  columns: string,
  principal: Principal,
  filter: RequestFilter,
  range: RequestRange,
): Promise<Row[]> {
  let { olderThan = null, offset = 0 } = range;
  if (offset >= FAR && olderThan === null && isCounted(filter)) {
    const place = await placeOf(sql, principal, filter, offset);
    if (place === null) return [];
    ({ olderThan, offset } = place);
  }
  const { tables, id, conditions } = placesOf(filter);
  return await sql.query<Row>(
    `select ${columns} from ${tables}
     where ${conditions}
       and ($16::bigint is null or ${id} < $16) and ($17::bigint is null or ${id} > $17)
     order by ${id} ${range.inverted ? 'asc' : 'desc'} limit $18 offset $19`,
    [...parametersOf(principal, filter), olderThan, range.newerThan ?? null, range.limit, offset],
  );
}

export async function countRequests(
  sql: SqlExecutor,
  principal: Principal,
  filter: RequestFilter,
): Promise<number> {
  if (isCounted(filter)) return await countVisible(sql, principal, filter);
  const { tables, conditions } = placesOf(filter);
  const [row] = await sql.query<{ count: number }>(
    `select count(*) from ${tables} where ${conditions}`,
    parametersOf(principal, filter),
  );
  return row!.count;
}

/** Those of the given requests that the principal may see. */
export async function findVisibleRequests(
  sql: SqlExecutor,
  principal: Principal,
  ids: readonly number[],
): Promise<BundleRequest[]> {
  return await sql.query<BundleRequest>(
    `select ${REQUEST_COLUMNS} from bundle_requests r where r.id = any($3::bigint[]) and ${visibleTo('$1', '$2')}`,
    [...visibilityParameters(principal), ids],
  );
}

/** To skip so many rows is nothing yet. */
const FAR = 1_000;

/** Whether nothing restricts but what requests are counted by. */
function isCounted({ states: _, project: __, ...others }: RequestFilter): boolean {
  return Object.values(others).every((one) => one == null);
}

/**
 * Where the rows are looked for. Those with a component are found by its references, in their order: nobody guesses how many
 * there are, and few of many requests would else be looked for among all.
 */
function placesOf({ componentId = null }: RequestFilter): { tables: string; id: string; conditions: string } {
  if (componentId === null) {
    return { tables: 'bundle_requests r', id: 'r.id', conditions: `${CONDITIONS} and $11::bigint is null` };
  }
  const request = 'lateral (select * from bundle_requests where id = rc.request_id offset 0) r';
  return {
    tables: `request_components rc cross join ${request}`,
    id: 'rc.request_id',
    conditions: `${CONDITIONS} and rc.component_id = $11::bigint`,
  };
}

const CONDITIONS = `${visibleTo('$1', '$2')}
  and ($3::text[] is null or r.state = any($3))
  and ($4::text is null or r.repository = $4)
  and ($5::text is null or r.commit = $5 or r.requested_ref = $5)
  and ($6::text[] is null or r.package_managers @> $6)
  and ($7::text is null or r.project_id = (select id from projects where name = $7))
  and ($8::text is null or r.user_id = (select id from users where name = $8))
  and ($9::timestamptz is null or r.created_at >= $9)
  and ($10::timestamptz is null or r.created_at < $10)
  and ($12::timestamptz is null or r.created_at >= $12)
  and ($13::timestamptz is null or r.created_at <= $13)
  and ($14::text is null or r.error ->> 'errorOrigin' = $14)
  and ($15::text is null or r.error ->> 'errorType' = $15)`;

function parametersOf(principal: Principal, filter: RequestFilter): unknown[] {
  const { states, repository, ref, packageManagers, project, user, createdFrom, createdTo } = filter;
  return [
    ...visibilityParameters(principal),
    states ?? null,
    repository ?? null,
    ref ?? null,
    packageManagers ?? null,
    project ?? null,
    user ?? null,
    createdFrom ?? null,
    createdTo ?? null,
    filter.componentId ?? null,
    filter.createdSince ?? null,
    filter.createdUntil ?? null,
    filter.errorOrigin ?? null,
    filter.errorType ?? null,
  ];
}
