import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** What a reader found in files, as far as it is known. */
export async function findFileFacts<Facts extends object>(
  sql: SqlExecutor,
  reader: string,
  digests: readonly Digest[],
): Promise<Map<Digest, Facts>> {
  const rows = await sql.query<{ digest: Digest; facts: Facts }>(
    'select digest, facts from package_file_facts where reader = $1 and digest = any($2::text[])',
    [reader, digests],
  );
  return new Map(rows.map(({ digest, facts }) => [digest, facts]));
}

/** Of a file that is about to be removed nothing is kept. */
export async function insertFileFacts(
  sql: SqlExecutor,
  reader: string,
  digest: Digest,
  facts: object,
): Promise<void> {
  await sql.query(
    `insert into package_file_facts (digest, reader, facts)
     select digest, $2, $3::json from blobs where digest = $1 for key share
     on conflict do nothing`,
    [digest, reader, JSON.stringify(facts)],
  );
}
