import type { SqlExecutor } from '../sql-executor.ts';
import { type IdRange, idPage, idRangeParameters } from './id-range.ts';

/** One thing that somebody did, or was not let do. */
export interface AuditEntry {
  id: number;
  at: Date;
  /** null: nobody was logged in. */
  user: string | null;
  /** Of the token that was shown; null: a password, a session, a command. */
  tokenId: number | null;
  /** Of the client; null: it is not known; {@link BY_COMMAND}. */
  address: string | null;
  action: string;
  details: object;
  /** Why it was not done; null: it was, or is just being done. */
  code: string | null;
}

/** In place of an address: a command on the machine of the server. */
export const BY_COMMAND = 'command';

/** Returns its id. What it tells of is durable no earlier than the entry: the log of the database keeps their order. */
export async function insertAuditEntry(
  sql: SqlExecutor,
  entry: Omit<AuditEntry, 'id' | 'at' | 'code'> & { userId: number | null },
): Promise<number> {
  const [row] = await sql.query<{ id: number }>(
    `with quick as materialized (select set_config('synchronous_commit', 'off', true))
     insert into audit_log (user_id, user_name, token_id, address, action, details)
     select $1, $2, $3, $4, $5, $6::jsonb from quick returning id`,
    [entry.userId, entry.user, entry.tokenId, entry.address, entry.action, textOf(entry.details)],
    { prepared: true },
  );
  return row!.id;
}

/** Details are what somebody asked for: text that no jsonb takes is written as if it were quoted. */
function textOf(details: object): string {
  const storable = (value: unknown) =>
    typeof value === 'string' ? value.replaceAll('\0', '\\u0000').toWellFormed() : value;
  return JSON.stringify(details, (_key, value) => storable(value));
}

export async function insertAuditRefusal(
  sql: SqlExecutor,
  refusal: { attemptId: number; code: string },
): Promise<void> {
  await sql.query(
    `insert into audit_log (user_id, user_name, token_id, address, action, details, attempt_id, code)
     select user_id, user_name, token_id, address, action, '{}', id, $2 from audit_log where id = $1`,
    [refusal.attemptId, refusal.code],
  );
}

export interface AuditFilter {
  user?: string | null | undefined;
  action?: string | null | undefined;
  since?: Date | null | undefined;
  until?: Date | null | undefined;
}

/** The latest first. */
export async function listAuditEntries(
  sql: SqlExecutor,
  { user, action, since, until }: AuditFilter,
  range: IdRange,
): Promise<AuditEntry[]> {
  return await sql.query<AuditEntry>(
    `select a.id, a.at, a.user_name as "user", a.token_id as "tokenId", a.address, a.action, a.details,
       (select r.code from audit_log r where r.attempt_id = a.id order by r.id limit 1) as code
     from audit_log a
     where a.attempt_id is null and ($1::text is null or a.user_name = $1) and ($2::text is null or a.action = $2)
       and ($3::timestamptz is null or a.at >= $3) and ($4::timestamptz is null or a.at < $4)
       and ${idPage('a.id', 5, { order: 'desc', inverted: range.inverted })}`,
    [user ?? null, action ?? null, since ?? null, until ?? null, ...idRangeParameters(range)],
  );
}
