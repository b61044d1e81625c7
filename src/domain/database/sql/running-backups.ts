import { randomUUID } from 'node:crypto';
import type { SqlExecutor } from '../sql-executor.ts';

/** A backup that does not say for so long that it lives does not. */
const LEASE = '2 minutes';

/** Condition: no backup is being made, which may need bytes that nothing names any more. */
export const NO_BACKUP_RUNS = `not exists (
  select from running_backups where renewed_at > clock_timestamp() - interval '${LEASE}'
)`;

/** From now on no bytes are removed. */
export async function startBackup(sql: SqlExecutor): Promise<string> {
  const id = randomUUID();
  await sql.query(
    `with dead as (delete from running_backups where renewed_at < clock_timestamp() - interval '1 day')
     insert into running_backups (id) values ($1)`,
    [id],
  );
  return id;
}

/** False: it was taken for dead, and bytes may have been removed. */
export async function renewBackup(sql: SqlExecutor, id: string): Promise<boolean> {
  const rows = await sql.query(
    `update running_backups set renewed_at = clock_timestamp()
     where id = $1 and renewed_at > clock_timestamp() - interval '${LEASE}' returning id`,
    [id],
  );
  return rows.length > 0;
}

export async function endBackup(sql: SqlExecutor, id: string): Promise<void> {
  await sql.query('delete from running_backups where id = $1', [id]);
}
