import type { SbomComponent } from '../../bundles/sbom-component.ts';
import { componentName } from '../../packages/component-name.ts';
import type { ResolvedPackage } from '../../packages/package.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** Sorted, so that two requests that add the same rows at once wait for each other instead of blocking for ever. */
export async function insertPackageVersions(
  sql: SqlExecutor,
  packages: readonly ResolvedPackage[],
): Promise<void> {
  const all = packages.flatMap((one) => [one, ...one.dependencies]);
  await sql.query(
    `insert into package_versions (type, name, version)
     select distinct type, name, version from unnest($1::text[], $2::text[], $3::text[]) as one (type, name, version)
     except select type, name, version from package_versions
     order by type, name, version
     on conflict do nothing`,
    [all.map((one) => one.type), all.map((one) => one.name), all.map((one) => one.version)],
  );
}

export async function insertComponents(
  sql: SqlExecutor,
  components: readonly Pick<SbomComponent, 'purl' | 'version'>[],
): Promise<void> {
  const names = components.map((component) => componentName(component.purl));
  await sql.query(
    `insert into components (purl, type, name, version)
     select distinct on (purl) purl, type, name, version
     from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as one (purl, type, name, version)
     where not exists (select from components c where c.purl = one.purl)
     order by purl
     on conflict do nothing`,
    [
      components.map((component) => component.purl),
      names.map((name) => name.type),
      names.map((name) => name.name),
      names.map((name, index) => name.version ?? components[index]!.version),
    ],
  );
}
