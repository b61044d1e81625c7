import type { SqlExecutor } from '../sql-executor.ts';
import { type Component, type ComponentFilter, componentCriteria } from './list-components.ts';

/** Components that some SBOM of an image lists, after an id. */
export async function listImageComponents(
  sql: SqlExecutor,
  filter: ComponentFilter,
  page: { after: number; limit: number },
): Promise<Component[]> {
  const { conditions, parameters } = componentCriteria(filter, 3);
  return await sql.query<Component>(
    `select c.id, c.purl, c.type, c.name, c.version from components c
     where c.id > $1 and ${conditions}
       and exists (select from image_components ic where ic.component_id = c.id)
     order by c.id limit $2`,
    [page.after, page.limit, ...parameters],
  );
}

/** Components of the SBOMs with one of these addresses as subject, after an id. */
export async function listComponentsOfManifest(
  sql: SqlExecutor,
  subject: { imageId: number; addresses: readonly string[] },
  filter: ComponentFilter,
  page: { after: number; limit: number },
): Promise<Component[]> {
  const { conditions, parameters } = componentCriteria(filter, 5);
  return await sql.query<Component>(
    `select c.id, c.purl, c.type, c.name, c.version from components c
     where c.id > $1 and ${conditions} and c.id in (
       select ic.component_id from image_components ic join manifests sbom on sbom.id = ic.sbom_id
       where sbom.image_id = $3 and sbom.subject = any($4::text[]))
     order by c.id limit $2`,
    [page.after, page.limit, subject.imageId, subject.addresses, ...parameters],
  );
}
