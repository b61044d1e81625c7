import type { SqlExecutor } from '../sql-executor.ts';

/** By then all processes know a new secret: they look every few seconds. */
const KNOWN_AFTER = '20 seconds';

/**
 * The secrets for a purpose, the same for all processes on this database: first the one to sign with, which is the newest
 * that all of them know. The proposed one becomes the first where there is none.
 */
export async function sharedSecrets(sql: SqlExecutor, purpose: string, proposed: Buffer): Promise<Buffer[]> {
  const read = () =>
    sql.query<{ secret: Buffer }>(
      `select secret from shared_secrets where purpose = $1
       order by created_at <= now() - interval '${KNOWN_AFTER}' desc, created_at desc`,
      [purpose],
    );
  let rows = await read();
  if (rows.length === 0) {
    await sql.query('insert into shared_secrets (purpose, secret) values ($1, $2) on conflict do nothing', [
      purpose,
      proposed,
    ]);
    rows = await read();
  }
  return rows.map(({ secret }) => secret);
}

export interface SharedSecret {
  id: string;
  purpose: string;
  createdAt: Date;
  /** When a newer one came; null: it signs. */
  retiredAt: Date | null;
}

const COLUMNS = `id, purpose, created_at as "createdAt", retired_at as "retiredAt"`;

export async function listSharedSecrets(sql: SqlExecutor): Promise<SharedSecret[]> {
  return await sql.query(
    `select ${COLUMNS} from shared_secrets order by purpose, retired_at desc nulls first, created_at desc`,
  );
}

/** The new one signs as soon as all processes know it; those that are there only verify from then on. */
export async function replaceSharedSecret(
  sql: SqlExecutor,
  purpose: string,
  secret: Buffer,
): Promise<SharedSecret> {
  await sql.query('update shared_secrets set retired_at = now() where purpose = $1 and retired_at is null', [
    purpose,
  ]);
  const [row] = await sql.query<SharedSecret>(
    `insert into shared_secrets (purpose, secret) values ($1, $2) returning ${COLUMNS}`,
    [purpose, secret],
  );
  return row!;
}

/** Those that no longer sign, by id or all of a purpose: what they have signed is good no longer. Returns their ids. */
export async function forgetSharedSecrets(
  sql: SqlExecutor,
  which: { purpose: string } | { id: string },
): Promise<string[]> {
  const [column, value] = 'id' in which ? ['id', which.id] : ['purpose', which.purpose];
  const rows = await sql.query<{ id: string }>(
    `delete from shared_secrets where ${column} = $1 and retired_at is not null returning id`,
    [value],
  );
  return rows.map(({ id }) => id);
}
