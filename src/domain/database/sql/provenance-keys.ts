import type { SqlExecutor } from '../sql-executor.ts';

export interface ProvenanceKey {
  keyId: string;
  /** PEM. */
  publicKey: string;
}

export async function rememberProvenanceKey(
  sql: SqlExecutor,
  { keyId, publicKey }: ProvenanceKey,
): Promise<void> {
  await sql.query('insert into provenance_keys (id, pem) values ($1, $2) on conflict do nothing', [
    keyId,
    publicKey,
  ]);
}

/** The latest first. */
export async function listProvenanceKeys(sql: SqlExecutor): Promise<ProvenanceKey[]> {
  return await sql.query(
    'select id as "keyId", pem as "publicKey" from provenance_keys order by first_used_at desc, id',
  );
}
