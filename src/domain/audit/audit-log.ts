import { userInfo } from 'node:os';
import type { Database } from '../database/database.ts';
import {
  type AuditEntry,
  type AuditFilter,
  BY_COMMAND,
  insertAuditEntry,
  insertAuditRefusal,
  listAuditEntries,
} from '../database/sql/audit-log.ts';
import type { IdRange } from '../database/sql/id-range.ts';
import { DomainError } from '../errors.ts';
import { type Principal, requireAdmin } from '../identity/principal.ts';

/** What is going to be done, and from where. */
export interface AuditedAction {
  action: string;
  details: object;
  /** Of the client, if it is known. */
  address?: string | undefined;
}

/**
 * Does the work, and writes down who does it: before it begins, and once more when it is refused or fails. `refusalIn`:
 * the code of an error that is a result here. What nobody in particular is refused is not written down: that is anybody's to ask for.
 */
export async function audited<T>(
  { sql }: Pick<Database, 'sql'>,
  principal: Principal,
  { action, details, address = undefined }: AuditedAction,
  work: () => Promise<T>,
  refusalIn: (result: T) => string | null = () => null,
): Promise<T> {
  const { userId, name, tokenId = null } = principal;
  const entry = { userId, user: name, tokenId, address: address ?? null, action, details };
  if (name === null) {
    const result = await work();
    if (refusalIn(result) === null) await insertAuditEntry(sql, entry);
    return result;
  }
  const attemptId = await insertAuditEntry(sql, entry);
  try {
    const result = await work();
    const code = refusalIn(result);
    if (code !== null) await insertAuditRefusal(sql, { attemptId, code });
    return result;
  } catch (error) {
    await insertAuditRefusal(sql, { attemptId, code: codeOf(error) });
    throw error;
  }
}

/** The same for a command on the machine of the server, whose user is one of the operating system. */
export async function auditedCommand<T>(
  database: Pick<Database, 'sql'>,
  { action, details }: Omit<AuditedAction, 'address'>,
  work: () => Promise<T>,
): Promise<T> {
  const somebody = { userId: null, name: operatingSystemUser(), isAdmin: true, scopes: new Set<never>() };
  return await audited(database, somebody, { action, details, address: BY_COMMAND }, work);
}

function operatingSystemUser(): string {
  try {
    return userInfo().username;
  } catch {
    // In containers users need not have a name.
    return `uid ${process.getuid!()}`;
  }
}

function codeOf(error: unknown): string {
  return error instanceof DomainError ? error.code : 'internal';
}

/** The latest first. For administrators. */
export async function findAuditEntries(
  { sql }: Pick<Database, 'sql'>,
  principal: Principal,
  filter: AuditFilter,
  range: IdRange,
): Promise<AuditEntry[]> {
  requireAdmin(principal);
  return await listAuditEntries(sql, filter, range);
}
