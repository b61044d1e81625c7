import type { SqlExecutor } from '../sql-executor.ts';

/** Gives up claims without a result: whoever waits for the keys may fetch them. */
export async function releaseArtifactClaims(
  sql: SqlExecutor,
  keys: readonly string[],
  claimedBy: string,
): Promise<void> {
  await sql.query('delete from artifact_claims where key = any ($1::text[]) and claimed_by = $2', [
    keys,
    claimedBy,
  ]);
}
