import type { SqlExecutor } from '../sql-executor.ts';

export interface PlatformAccount {
  name: string;
  createdAt: Date;
  accessKeys: string[];
}

/** The pair with this access key; notes its use, at most once a minute. */
export async function findPlatformKey(
  sql: SqlExecutor,
  accessKey: string,
): Promise<{ secretHash: Buffer } | null> {
  const [row] = await sql.query<{ secretHash: Buffer }>(
    `with used as (
       update platform_keys set last_used_at = now()
       where access_key = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')
     )
     select secret_hash as "secretHash" from platform_keys where access_key = $1`,
    [accessKey],
  );
  return row ?? null;
}

export async function insertPlatformAccount(
  sql: SqlExecutor,
  name: string,
  userId: number | null,
): Promise<PlatformAccount> {
  const [row] = await sql.query<PlatformAccount>(
    `insert into platform_accounts (name, created_by_id) values ($1, $2)
     returning name, created_at as "createdAt", '{}'::text[] as "accessKeys"`,
    [name, userId],
  );
  return row!;
}

/** False: there is no such account. */
export async function insertPlatformKey(
  sql: SqlExecutor,
  key: { accountName: string; accessKey: string; secretHash: Buffer },
): Promise<boolean> {
  const rows = await sql.query(
    `insert into platform_keys (access_key, account_id, secret_hash)
     select $2, id, $3 from platform_accounts where name = $1 returning access_key`,
    [key.accountName, key.accessKey, key.secretHash],
  );
  return rows.length > 0;
}

const COLUMNS = `a.name, a.created_at as "createdAt",
  array(select k.access_key from platform_keys k where k.account_id = a.id order by k.created_at) as "accessKeys"`;

export async function listPlatformAccountRows(sql: SqlExecutor): Promise<PlatformAccount[]> {
  return await sql.query<PlatformAccount>(`select ${COLUMNS} from platform_accounts a order by a.name`);
}

/** What it was; null: there was none. */
export async function deletePlatformAccountRow(
  sql: SqlExecutor,
  name: string,
): Promise<PlatformAccount | null> {
  const [row] = await sql.query<PlatformAccount>(
    `delete from platform_accounts a where a.name = $1 returning ${COLUMNS}`,
    [name],
  );
  return row ?? null;
}
