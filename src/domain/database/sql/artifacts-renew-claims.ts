import type { SqlExecutor } from '../sql-executor.ts';

/** Tells the others that these keys are still being fetched. */
export async function renewArtifactClaims(
  sql: SqlExecutor,
  keys: readonly string[],
  claimedBy: string,
): Promise<void> {
  await sql.query(
    'update artifact_claims set claimed_at = now() where key = any ($1::text[]) and claimed_by = $2',
    [keys, claimedBy],
  );
}
