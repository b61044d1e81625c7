import type { BundleRequest } from '../../bundle-requests/bundle-request.ts';
import { visibilityParameters, visibleTo } from '../../bundle-requests/visibility.ts';
import type { Principal } from '../../identity/principal.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import { REQUEST_COLUMNS } from './bundle-request-rows.ts';

/**
 * A repository by its path alone: without scheme, host, outer slashes and one `.git` at the end. An scp-like address is
 * its own name (cachito.md 1.16).
 */
const REPOSITORY_NAME = `regexp_replace(
  btrim(regexp_replace(r.repository, '^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*([^?#]*).*$', '\\1'), '/'), '\\.git$', '')`;

/** The newest request for a ref of a repository, whatever host the repository was on. */
export async function findLatestRequest(
  sql: SqlExecutor,
  principal: Principal,
  { repositoryName, ref }: { repositoryName: string; ref: string },
): Promise<BundleRequest | null> {
  const rows = await sql.query<BundleRequest>(
    `select ${REQUEST_COLUMNS} from bundle_requests r
     where (r.requested_ref = $3 or r.commit = $3) and ${REPOSITORY_NAME} = $4 and ${visibleTo('$1', '$2')}
     order by r.id desc limit 1`,
    [...visibilityParameters(principal), ref, repositoryName],
  );
  return rows[0] ?? null;
}
