import type { StateHistoryEntry } from '../../bundle-requests/bundle-request.ts';
import type { PackageName } from '../../packages/package.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import { exactTime } from './bundle-request-rows.ts';

/** Every state and reason, oldest first. */
export async function readHistory(
  sql: SqlExecutor,
  requestIds: readonly number[],
): Promise<(StateHistoryEntry & { requestId: number })[]> {
  return await sql.query(
    `select request_id as "requestId", version, state, reason, at, ${exactTime('at')} as "atExact"
     from bundle_request_states
     where request_id = any($1::bigint[]) order by request_id, version`,
    [requestIds],
  );
}

export interface ReportedPackageRow extends PackageName {
  id: number;
  requestId: number;
  path: string;
  dev: boolean | null;
  dependenciesCount: number;
}

/** Packages of a request in the order in which they are reported. */
export async function readPackages(
  sql: SqlExecutor,
  requestId: number,
  page: { offset: number; limit: number },
): Promise<ReportedPackageRow[]> {
  return await sql.query<ReportedPackageRow>(
    `select p.id, p.request_id as "requestId", v.type, v.name, v.version, p.path, p.dev,
       (select count(*) from package_dependencies d where d.package_id = p.id) as "dependenciesCount"
     from request_packages p join package_versions v on v.id = p.package_version_id
     where p.request_id = $1 and p.position >= $2 order by p.position limit $3`,
    [requestId, page.offset, page.limit],
  );
}

export interface DependencyRow extends PackageName {
  dev: boolean | null;
  replaces: PackageName | null;
}

/** Dependencies of one package in the order in which they are reported. */
export async function readDependenciesOfPackage(
  sql: SqlExecutor,
  packageId: number,
  page: { offset: number; limit: number },
): Promise<DependencyRow[]> {
  return await sql.query<DependencyRow>(
    `select v.type, v.name, v.version, d.dev, d.replaces
     from package_dependencies d join package_versions v on v.id = d.package_version_id
     where d.package_id = $1 and d.position >= $2 order by d.position limit $3`,
    [packageId, page.offset, page.limit],
  );
}

export interface DependencyFilter {
  dev?: boolean | null | undefined;
  type?: string | null | undefined;
  name?: string | null | undefined;
}

/** Dependencies of all packages of a request without repeats (cachito.md 1.6), with how many there are in all. */
export async function readDependencies(
  sql: SqlExecutor,
  requestId: number,
  filter: DependencyFilter,
  page: { offset: number; limit: number },
): Promise<{ rows: DependencyRow[]; total: number }> {
  const rows = await sql.query<DependencyRow & { total: number }>(
    `with one as (
       select distinct on (v.type collate "C", coalesce(d.dev, false), v.name collate "C", v.version collate "C")
         v.type, v.name, v.version, d.dev, d.replaces
       from request_packages p
       join package_dependencies d on d.package_id = p.id
       join package_versions v on v.id = d.package_version_id
       where p.request_id = $1
         and ($2::boolean is null or coalesce(d.dev, false) = $2)
         and ($3::text is null or v.type = $3)
         and ($4::text is null or v.name = $4)
       order by v.type collate "C", coalesce(d.dev, false), v.name collate "C", v.version collate "C", p.position, d.position
     )
     select type, name, version, dev, replaces, count(*) over () as total from one
     order by type collate "C", coalesce(dev, false), name collate "C", version collate "C" offset $5 limit $6`,
    [
      requestId,
      filter.dev ?? null,
      filter.type ?? null,
      filter.name ?? null,
      page.offset,
      // One row at least, so that the total is told.
      Math.max(1, page.limit),
    ],
  );
  if (rows.length === 0 && page.offset > 0) {
    // Behind the end no row tells the total.
    const { total } = await readDependencies(sql, requestId, filter, { offset: 0, limit: 0 });
    return { rows: [], total };
  }
  return { rows: rows.slice(0, page.limit), total: rows[0]?.total ?? 0 };
}
