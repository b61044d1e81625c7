import type { ResolvedPackage } from '../../packages/package.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** The reported lists of a request; their names are in `package_versions` already. */
export async function insertRequestPackages(
  sql: SqlExecutor,
  requestId: number,
  packages: readonly ResolvedPackage[],
): Promise<void> {
  await sql.query('delete from request_packages where request_id = $1', [requestId]);
  await sql.query(
    `insert into request_packages (request_id, position, package_version_id, path, dev)
     select $1, one.position, v.id, one.path, one.dev
     from unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[])
       as one (position, type, name, version, path, dev)
     join package_versions v
       on v.type = one.type and v.name = one.name and v.version is not distinct from one.version`,
    [
      requestId,
      packages.map((_, position) => position),
      packages.map((one) => one.type),
      packages.map((one) => one.name),
      packages.map((one) => one.version),
      packages.map((one) => one.path),
      packages.map((one) => one.dev ?? null),
    ],
  );
  const rows = packages.flatMap((one, owner) =>
    one.dependencies.map((dependency, position) => ({ owner, position, ...dependency })),
  );
  await sql.query(
    `insert into package_dependencies (package_id, position, package_version_id, dev, replaces)
     select p.id, one.position, v.id, one.dev, one.replaces
     from unnest($2::int[], $3::int[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::jsonb[])
       as one (owner, position, type, name, version, dev, replaces)
     join request_packages p on p.request_id = $1 and p.position = one.owner
     join package_versions v
       on v.type = one.type and v.name = one.name and v.version is not distinct from one.version`,
    [
      requestId,
      rows.map((row) => row.owner),
      rows.map((row) => row.position),
      rows.map((row) => row.type),
      rows.map((row) => row.name),
      rows.map((row) => row.version),
      rows.map((row) => row.dev ?? null),
      rows.map((row) => (row.replaces === null ? null : JSON.stringify(row.replaces))),
    ],
  );
}
