import type { SqlExecutor } from '../sql-executor.ts';

/** The secret for a purpose, the same for all processes on this database; the proposed one where there is none yet. */
export async function sharedSecret(sql: SqlExecutor, purpose: string, proposed: Buffer): Promise<Buffer> {
  await sql.query('insert into shared_secrets (purpose, secret) values ($1, $2) on conflict do nothing', [
    purpose,
    proposed,
  ]);
  const [row] = await sql.query<{ secret: Buffer }>('select secret from shared_secrets where purpose = $1', [
    purpose,
  ]);
  return row!.secret;
}
