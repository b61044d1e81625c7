import { Command, InvalidArgumentError } from 'commander';
import type { AuditEntry, AuditFilter } from '../../domain/database/sql/audit-log.ts';
import { durationMs } from '../../domain/duration.ts';
import { printTable } from '../print-table.ts';
import { withDatabase } from '../with-database.ts';

interface AuditOptions {
  user?: string;
  action?: string;
  since?: string;
  limit: number;
  json?: boolean;
}

export function auditCommand(): Command {
  return new Command('audit')
    .description('show who did what, the latest first')
    .option('--user <name>', 'only what this user did')
    .option('--action <name>', 'only this, for example createToken, pushManifest')
    .option('--since <duration>', 'only what was done in this time, for example 12h, 30d')
    .option('--limit <number>', 'as many entries', rows, 50)
    .option('--json', 'one JSON document an entry, on a line of its own')
    .action(audit);
}

function rows(text: string): number {
  const number = Number(text);
  if (!/^\d{1,6}$/.test(text) || number === 0) throw new InvalidArgumentError('It is a number from 1 on.');
  return number;
}

async function audit({ user, action, since, limit, json = false }: AuditOptions): Promise<void> {
  const filter = {
    user,
    action,
    since: since === undefined ? null : new Date(Date.now() - durationMs(since)),
  };
  const entries = await readEntries(filter, limit);
  if (json) for (const entry of entries) process.stdout.write(`${JSON.stringify(entry)}\n`);
  else if (entries.length === 0) process.stdout.write('no such entries\n');
  else printTable(['TIME', 'USER', 'FROM', 'ACTION', 'OUTCOME', 'DETAILS'], entries.map(rowOf));
}

async function readEntries(filter: AuditFilter, limit: number): Promise<AuditEntry[]> {
  const [{ findAuditEntries }, { SYSTEM }] = await Promise.all([
    import('../../domain/audit/audit-log.ts'),
    import('../../domain/identity/principal.ts'),
  ]);
  const range = { after: null, before: null, limit, inverted: false };
  return await withDatabase('stowage-audit', (database) => findAuditEntries(database, SYSTEM, filter, range));
}

function rowOf({ at, user, address, action, code, details }: AuditEntry): string[] {
  return [at.toISOString(), user ?? '–', address ?? '–', action, code ?? 'done', JSON.stringify(details)];
}
