import { visibilityParameters, visibleTo } from '../../bundle-requests/visibility.ts';
import type { Principal } from '../../identity/principal.ts';
import type { SqlExecutor } from '../sql-executor.ts';

export interface Component {
  id: number;
  purl: string;
  type: string;
  name: string;
  version: string | null;
}

/** Components of bundles that the principal may see, after an id. */
export async function listComponents(
  sql: SqlExecutor,
  principal: Principal,
  filter: Record<'type' | 'name' | 'version', string | null> & { purls: readonly string[] | null },
  page: { after: number; limit: number },
): Promise<Component[]> {
  return await sql.query<Component>(
    `select c.id, c.purl, c.type, c.name, c.version from components c
     where c.id > $3
       and ($4::text[] is null or c.purl = any($4))
       and ($5::text is null or c.type = $5)
       and ($6::text is null or c.name = $6 or (c.type = 'pypi' and c.name = $7))
       and ($8::text is null or c.version = $8)
       and exists (
         select from request_components rc join bundle_requests r on r.id = rc.request_id
         where rc.component_id = c.id and ${visibleTo('$1', '$2')})
     order by c.id limit $9`,
    [
      ...visibilityParameters(principal),
      page.after,
      filter.purls,
      filter.type,
      filter.name,
      filter.name === null ? null : normalizedPythonName(filter.name),
      filter.version,
      page.limit,
    ],
  );
}

/** PEP 503. */
function normalizedPythonName(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]+/g, '-');
}
