import type { SqlExecutor } from '../sql-executor.ts';

/**
 * Claims the keys that nobody fetches just now and returns them. A claim that was not renewed for so many seconds is of a
 * process that is gone, and is taken over.
 */
export async function claimArtifacts(
  sql: SqlExecutor,
  keys: readonly string[],
  claimedBy: string,
  staleSeconds: number,
): Promise<string[]> {
  const rows = await sql.query<{ key: string }>(
    `insert into artifact_claims as c (key, claimed_by)
     select key, $2 from unnest($1::text[]) as one (key) order by key
     on conflict (key) do update set claimed_by = excluded.claimed_by, claimed_at = now()
     where c.claimed_at < now() - make_interval(secs => $3)
     returning key`,
    [keys, claimedBy, staleSeconds],
  );
  return rows.map((row) => row.key);
}
