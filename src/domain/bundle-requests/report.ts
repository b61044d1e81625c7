import type { ManifestedRequest } from '../bundles/content-manifest.ts';
import { readReportedPackages } from '../database/sql/read-reported-packages.ts';
import type { SqlExecutor } from '../database/sql-executor.ts';
import type { Dependency, ResolvedPackage } from '../packages/package.ts';
import { uniqueDependencies } from '../packages/reported-packages.ts';
import type { BundleRequest } from './bundle-request.ts';

/** All that a complete request reports, at once: for readers that do not page. */
export interface PackageReport {
  packages: ResolvedPackage[];
  /** Of all packages, without repeats. */
  dependencies: Dependency[];
}

/** What a request reports, with the source that it belongs to; nothing unless it is complete. */
export async function readReport(sql: SqlExecutor, request: BundleRequest): Promise<ManifestedRequest> {
  const { id, repository, state } = request;
  const packages = state === 'complete' ? await readReportedPackages(sql, id) : [];
  return { repository, ref: await sourceId(sql, request), packages };
}

/** Null when there is none: the request is not complete, or was completed without a bundle. */
export async function readPackageReport(
  sql: SqlExecutor,
  { id, state, bundleDigest }: BundleRequest,
): Promise<PackageReport | null> {
  if (state !== 'complete' || bundleDigest === null) return null;
  const packages = await readReportedPackages(sql, id);
  return { packages, dependencies: uniqueDependencies(packages) };
}

/** The commit; the tree id of an uploaded archive. */
async function sourceId(
  sql: SqlExecutor,
  { commit, requestedRef, snapshotId }: BundleRequest,
): Promise<string> {
  if (commit !== null || snapshotId === null) return commit ?? requestedRef ?? '';
  const [row] = await sql.query<{ treeId: string }>(
    'select tree_id as "treeId" from source_snapshots where id = $1',
    [snapshotId],
  );
  return row!.treeId;
}
