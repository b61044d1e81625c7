import { visibilityParameters, visibleTo } from '../../bundle-requests/visibility.ts';
import type { Principal } from '../../identity/principal.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import { type Reader, readable } from './readable-repositories.ts';

export interface Component {
  id: number;
  purl: string;
  type: string;
  name: string;
  version: string | null;
}

/** What is null does not restrict. */
export type ComponentFilter = Record<'type' | 'name' | 'version', string | null> & {
  purls: readonly string[] | null;
};

/** Condition on `components c`, with parameters from `$n` on. */
export function componentCriteria(
  filter: ComponentFilter,
  n: number,
): { conditions: string; parameters: unknown[] } {
  return {
    conditions: `($${n}::text[] is null or c.purl = any($${n}))
       and ($${n + 1}::text is null or c.type = $${n + 1})
       and ($${n + 2}::text is null or c.name = $${n + 2} or (c.type = 'pypi' and c.name = $${n + 3}))
       and ($${n + 4}::text is null or c.version = $${n + 4})`,
    parameters: [
      filter.purls,
      filter.type,
      filter.name,
      filter.name === null ? null : normalizedPythonName(filter.name),
      filter.version,
    ],
  };
}

/** Components of bundles that the principal may see, and of images that the reader may, after an id. */
export async function listComponents(
  sql: SqlExecutor,
  principal: Principal,
  reader: Reader,
  filter: ComponentFilter,
  page: { after: number; limit: number },
): Promise<Component[]> {
  const { conditions, parameters } = componentCriteria(filter, 7);
  return await sql.query<Component>(
    `select c.id, c.purl, c.type, c.name, c.version from components c
     where c.id > $5 and ${conditions}
       and (exists (
         -- One by one, by their numbers: of most components there are few, which nobody guesses.
         select from request_components rc cross join lateral (
           select from bundle_requests r where r.id = rc.request_id and ${visibleTo('$1', '$2')} offset 0
         ) r
         where rc.component_id = c.id
       ) or exists (
         select from image_components ic
         join manifests sbom on sbom.id = ic.sbom_id
         join images i on i.id = sbom.image_id
         join repositories r on r.id = i.repository_id
         join projects p on p.id = r.project_id
         where ic.component_id = c.id and ${readable(3)}
       ))
     order by c.id limit $6`,
    [
      ...visibilityParameters(principal),
      reader.userId,
      reader.readsAll,
      page.after,
      page.limit,
      ...parameters,
    ],
  );
}

/** PEP 503. */
function normalizedPythonName(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]+/g, '-');
}
