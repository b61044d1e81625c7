import type { Readable } from 'node:stream';
import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { executor } from '../database/migrate.ts';
import { appliedMigrations } from '../database/pending-migrations.ts';
import type { BackupWriter } from './backup-files.ts';
import {
  type BackupDescription,
  type BackupObserver,
  BLOB_LIST,
  type DumpedTable,
  QUEUE_SCHEMA,
  tableFile,
} from './backup-format.ts';

export type DumpedDatabase = Pick<
  BackupDescription,
  'migrations' | 'queueMigration' | 'tables' | 'sequences'
>;

/** Of the copy they are written anew, or mean nothing there. */
const LEFT_OUT = ['migrations', 'running_backups', `${QUEUE_SCHEMA}.migrations`];

/**
 * Writes the rows of all tables, and the list of the blobs that they name, as they were at one moment, whatever happens
 * meanwhile. Nobody waits for it. When it throws, the connection is still in the middle of it.
 */
export async function dumpDatabase(
  client: pg.PoolClient,
  writer: BackupWriter,
  { signal, onStep, onTable }: BackupObserver & { signal: AbortSignal },
): Promise<DumpedDatabase> {
  await client.query('begin isolation level repeatable read read only');
  await client.query(STABLE_TEXT);
  const migrations = (await appliedMigrations(executor(client))).sort();
  const queueMigration = await newestQueueMigration(client);
  const tables: DumpedTable[] = [];
  for (const { name, columns } of await tablesOf(client)) {
    if (LEFT_OUT.includes(name)) continue;
    onStep?.(`table ${name}`);
    const rows = await dump(client, `${name} (${columns.join(', ')})`, tableFile(name), writer, signal);
    tables.push({ name, columns, rows });
    onTable?.(tables.at(-1)!);
  }
  onStep?.('list of blobs');
  const blobs = '(select digest, size, damaged_at is not null from blobs order by digest)';
  await dump(client, blobs, BLOB_LIST, writer, signal);
  // They are of no moment: what they say now is not less than it was.
  const sequences = await sequencesOf(client);
  await client.query('rollback');
  return { migrations, queueMigration, tables, sequences };
}

/** The same text for the same value on every server. */
const STABLE_TEXT = `
  set local datestyle = 'ISO, YMD';
  set local intervalstyle = 'postgres';
  set local timezone = 'UTC';
  set local extra_float_digits = 3;
  set local bytea_output = 'hex';
  set local statement_timeout = 0;
  set local idle_in_transaction_session_timeout = 0`;

async function dump(
  client: pg.PoolClient,
  what: string,
  file: string,
  writer: BackupWriter,
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted();
  const rows = client.query(copyTo(`copy ${what} to stdout`));
  await writer.writeCompressed(file, rows as Readable, signal);
  return rows.rowCount;
}

/** Quoted where need be; columns that are computed from others are computed again. */
export async function tablesOf(client: pg.ClientBase): Promise<{ name: string; columns: string[] }[]> {
  const { rows } = await client.query<{ name: string; columns: string[] }>(
    `select c.oid::regclass::text as name, array_agg(quote_ident(a.attname) order by a.attnum) as columns
     from pg_class c
     join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
     where c.relkind = 'r' and c.relnamespace in (current_schema()::regnamespace, '${QUEUE_SCHEMA}'::regnamespace)
     group by c.oid order by 1`,
  );
  return rows;
}

export async function newestQueueMigration(client: pg.ClientBase): Promise<number> {
  const { rows } = await client.query<{ id: number }>(`select max(id) as id from ${QUEUE_SCHEMA}.migrations`);
  return rows[0]!.id;
}

async function sequencesOf(client: pg.ClientBase): Promise<BackupDescription['sequences']> {
  const { rows } = await client.query<{ name: string; last: string | null; start: string }>(
    `select format('%I.%I', schemaname, sequencename)::regclass::text as name, last_value::text as last,
       start_value::text as start
     from pg_sequences where schemaname in (current_schema(), '${QUEUE_SCHEMA}') order by 1`,
  );
  return rows.map(({ name, last, start }) => ({ name, last: last ?? start, isCalled: last !== null }));
}
