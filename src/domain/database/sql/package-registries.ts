import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** Opens the registries of a request. A password that was given out once stays. */
export async function insertRegistries(sql: SqlExecutor, requestId: number, password: string): Promise<void> {
  await sql.query(
    `insert into package_registries (request_id, password) values ($1, $2)
     on conflict (request_id) do update set revoked_at = null`,
    [requestId, password],
  );
}

export async function closeRegistries(sql: SqlExecutor, requestId: number): Promise<void> {
  await sql.query(
    'update package_registries set revoked_at = now() where request_id = $1 and revoked_at is null',
    [requestId],
  );
}

/** Null before the request was complete; also of registries that are closed. */
export async function findRegistryPassword(sql: SqlExecutor, requestId: number): Promise<string | null> {
  const [row] = await sql.query<{ password: string }>(
    'select password from package_registries where request_id = $1',
    [requestId],
  );
  return row?.password ?? null;
}

export interface OpenRegistryRow {
  password: string;
  bundleDigest: Digest | null;
}

/** Null for requests that have none (any more). */
export async function findOpenRegistry(sql: SqlExecutor, requestId: number): Promise<OpenRegistryRow | null> {
  const [row] = await sql.query<OpenRegistryRow>(
    `select p.password, r.bundle_digest as "bundleDigest"
     from package_registries p join bundle_requests r on r.id = p.request_id
     where p.request_id = $1 and p.revoked_at is null and r.state = 'complete'`,
    [requestId],
  );
  return row ?? null;
}
