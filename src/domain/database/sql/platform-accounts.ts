import type { SqlExecutor } from '../sql-executor.ts';

export interface PlatformAccount {
  name: string;
  createdAt: Date;
  accessKeys: string[];
  keys: PlatformKeyRow[];
}

export interface PlatformKeyRow {
  accessKey: string;
  createdAt: Date;
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
  const [row] = await sql.query<Pick<PlatformAccount, 'name' | 'createdAt'>>(
    `insert into platform_accounts (name, created_by_id) values ($1, $2)
     returning name, created_at as "createdAt"`,
    [name, userId],
  );
  return { ...row!, accessKeys: [], keys: [] };
}

/** When it was made; null: there is no such account. */
export async function insertPlatformKey(
  sql: SqlExecutor,
  key: { accountName: string; accessKey: string; secretHash: Buffer },
): Promise<Date | null> {
  const [row] = await sql.query<{ createdAt: Date }>(
    `insert into platform_keys (access_key, account_id, secret_hash)
     select $2, id, $3 from platform_accounts where name = $1 returning created_at as "createdAt"`,
    [key.accountName, key.accessKey, key.secretHash],
  );
  return row?.createdAt ?? null;
}

/** False: the account has no such key. */
export async function deletePlatformKeyRow(
  sql: SqlExecutor,
  key: { accountName: string; accessKey: string },
): Promise<boolean> {
  const rows = await sql.query(
    `delete from platform_keys k using platform_accounts a
     where a.id = k.account_id and a.name = $1 and k.access_key = $2 returning 1`,
    [key.accountName, key.accessKey],
  );
  return rows.length > 0;
}

const COLUMNS = `a.name, a.created_at as "createdAt",
  array(select k.access_key from platform_keys k where k.account_id = a.id order by k.created_at) as "accessKeys",
  array(select k.created_at from platform_keys k where k.account_id = a.id order by k.created_at) as "keyTimes"`;

type AccountRow = Omit<PlatformAccount, 'keys'> & { keyTimes: Date[] };

function accountOf({ keyTimes, ...account }: AccountRow): PlatformAccount {
  const keys = account.accessKeys.map((accessKey, n) => ({ accessKey, createdAt: keyTimes[n]! }));
  return { ...account, keys };
}

export async function listPlatformAccountRows(sql: SqlExecutor): Promise<PlatformAccount[]> {
  const rows = await sql.query<AccountRow>(`select ${COLUMNS} from platform_accounts a order by a.name`);
  return rows.map(accountOf);
}

/** What it was; null: there was none. */
export async function deletePlatformAccountRow(
  sql: SqlExecutor,
  name: string,
): Promise<PlatformAccount | null> {
  const [row] = await sql.query<AccountRow>(
    `delete from platform_accounts a where a.name = $1 returning ${COLUMNS}`,
    [name],
  );
  return row ? accountOf(row) : null;
}
