import type { SqlExecutor } from '../database/sql-executor.ts';
import type { Grace } from './garbage.ts';

/** The row of a blob that is stored again may be so much older than that; see record-blobs.ts. */
const REFRESHED_SECONDS = 10 * 60;

/**
 * What a bundle request has stored is named for good at its end only, and until then by the result of a step, of which
 * the collector knows nothing: no bytes are removed that came after the oldest request that is still at work.
 */
export async function sparingRunningRequests(sql: SqlExecutor, grace: Grace): Promise<Grace> {
  const [oldest] = await sql.query<{ seconds: number | null }>(
    `select extract(epoch from now() - min(created_at))::float8 as seconds
     from bundle_requests where state = 'in_progress'`,
  );
  if (oldest?.seconds == null) return grace;
  return { ...grace, bytes: Math.max(grace.bytes, oldest.seconds + REFRESHED_SECONDS) };
}
