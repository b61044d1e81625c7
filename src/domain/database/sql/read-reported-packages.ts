import type { Dependency, PackageName, ResolvedPackage } from '../../packages/package.ts';
import type { SqlExecutor } from '../sql-executor.ts';

interface PackageRow extends PackageName {
  id: number;
  path: string;
  dev: boolean | null;
}

interface DependencyRow extends PackageName {
  packageId: number;
  dev: boolean | null;
  replaces: PackageName | null;
}

/** All packages of a request with all their dependencies, as they were reported and in that order. */
export async function readReportedPackages(sql: SqlExecutor, requestId: number): Promise<ResolvedPackage[]> {
  const packages = await sql.query<PackageRow>(
    `select p.id, v.type, v.name, v.version, p.path, p.dev
     from request_packages p join package_versions v on v.id = p.package_version_id
     where p.request_id = $1 order by p.position`,
    [requestId],
  );
  const dependencies = await sql.query<DependencyRow>(
    `select d.package_id as "packageId", v.type, v.name, v.version, d.dev, d.replaces
     from request_packages p
     join package_dependencies d on d.package_id = p.id
     join package_versions v on v.id = d.package_version_id
     where p.request_id = $1 order by p.position, d.position`,
    [requestId],
  );
  const byPackage = new Map<number, Dependency[]>(packages.map(({ id }) => [id, []]));
  for (const { packageId, dev, ...dependency } of dependencies) {
    byPackage.get(packageId)?.push({ ...dependency, ...(dev !== null && { dev }) });
  }
  return packages.map(({ id, dev, ...one }) => ({
    ...one,
    ...(dev !== null && { dev }),
    dependencies: byPackage.get(id)!,
  }));
}
