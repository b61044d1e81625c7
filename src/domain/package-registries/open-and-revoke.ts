import { randomBytes } from 'node:crypto';
import type { Transaction } from '../database/database.ts';
import { closeRegistries, insertRegistries } from '../database/sql/package-registries.ts';

type Sql = Pick<Transaction, 'sql'>;

/** Part of the change of state to `complete`: there is something to serve from here on. */
export async function openRegistries({ sql }: Sql, requestId: number): Promise<void> {
  // 24 to 32 hex characters (cachito.md 4.4).
  await insertRegistries(sql, requestId, randomBytes(16).toString('hex'));
}

/** Part of the change of state to `stale`, `failed` or `cancelled`: the credentials open nothing any more. */
export async function revokeRegistries({ sql }: Sql, requestId: number): Promise<void> {
  await closeRegistries(sql, requestId);
}
