import { BUILD_DEPENDENCY, DEVELOPMENT } from '../../bundles/sbom/component-properties.ts';
import type { SbomComponent } from '../../bundles/sbom-component.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** Which components a request's bundle holds; the rows of `components` are there already. */
export async function insertRequestComponents(
  sql: SqlExecutor,
  requestId: number,
  components: readonly SbomComponent[],
): Promise<void> {
  await sql.query('delete from request_components where request_id = $1', [requestId]);
  await sql.query(
    `insert into request_components (component_id, request_id, is_source_package, dev)
     select c.id, $1, bool_or(one.is_source_package), bool_and(one.dev)
     from unnest($2::text[], $3::boolean[], $4::boolean[]) as one (purl, is_source_package, dev)
     join components c using (purl)
     group by c.id`,
    [
      requestId,
      components.map((component) => component.purl),
      components.map((component) => component.isSourcePackage),
      components.map((component) => DEVELOPMENT_FLAGS.some((flag) => component.properties[flag] === 'true')),
    ],
  );
}

const DEVELOPMENT_FLAGS = [DEVELOPMENT, BUILD_DEPENDENCY];
