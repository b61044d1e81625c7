import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { continueFeed } from '../database/continue-feed.ts';
import {
  createMigrationsTable,
  executor,
  isConcurrent,
  takeTurn,
  withMigrationClient,
} from '../database/migrate.ts';
import { MIGRATIONS, migrationsOf } from '../database/pending-migrations.ts';
import type { SqlExecutor } from '../database/sql-executor.ts';
import { ConflictError, DomainError, InvalidInputError } from '../errors.ts';
import { readCompressed } from './backup-files.ts';
import {
  type BackupDescription,
  type BackupObserver,
  type DumpedTable,
  QUEUE_SCHEMA,
  tableFile,
} from './backup-format.ts';
import { newestQueueMigration, tablesOf } from './dump-database.ts';

export interface LoadOptions extends BackupObserver {
  url: string;
  /** Of the backup, which is verified. */
  path: string;
  description: BackupDescription;
  /** Makes the schema of the queue, whose library this one does not know. */
  prepareQueue(url: string): Promise<void>;
  /** In the same transaction, at its end. */
  finish(sql: SqlExecutor): Promise<void>;
  signal: AbortSignal;
}

/** Throws InvalidInputError when the backup is of a later release. */
export async function requireKnownMigrations({ migrations, version }: BackupDescription): Promise<void> {
  const known = new Set(await migrationsOf(MIGRATIONS));
  const newer = migrations.filter((name) => !known.has(name));
  if (newer.length === 0) return;
  throw new InvalidInputError(`The backup is of a later release (${version}): ${newer.join(', ')}`, {
    hint: 'Restore it with that release.',
  });
}

/** Throws ConflictError. What a restore that was killed has left counts for nothing. */
export async function requireEmptyDatabase(url: string): Promise<void> {
  await withMigrationClient(url, requireEmpty);
}

async function requireEmpty(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select c.oid::regclass::text as name from pg_class c
     where c.relkind in ('r', 'p', 'v', 'm', 'S')
       and c.relnamespace in (
         select oid from pg_namespace where nspname !~ '^pg_' and nspname not in ('information_schema', '${QUEUE_SCHEMA}'))
     order by 1`,
  );
  const jobs = `to_regclass('${QUEUE_SCHEMA}._private_jobs')`;
  const queue = await client.query<{ exists: boolean }>(`select ${jobs} is not null as exists`);
  const hasJobs =
    queue.rows[0]!.exists &&
    (await client.query(`select from ${QUEUE_SCHEMA}._private_jobs limit 1`)).rows.length > 0;
  if (rows.length === 0 && !hasJobs) return;
  const found = rows.slice(0, 3).map(({ name }) => name);
  throw new ConflictError(
    `The database is not empty: it has ${found.join(', ') || 'jobs'}${rows.length > 3 ? ', …' : ''}`,
    {
      hint: 'Restore into a new one, before anything is started with it: create database stowage_restored, and set DATABASE_URL.',
    },
  );
}

/**
 * Fills an empty database: the schema that the backup was made of, all rows and the next number of every sequence, in one
 * transaction. Killed at any moment it leaves nothing; processes that wait for the database wait until all is there.
 */
export async function loadDatabase(options: LoadOptions): Promise<void> {
  await withMigrationClient(options.url, async (client) => {
    await takeTurn(client);
    await requireEmpty(client);
    await options.prepareQueue(options.url);
    await requireSameQueue(client, options.description);
    await client.query('begin');
    await client.query('set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0');
    await makeSchema(client, options.description);
    await fill(client, options);
    const sql = executor(client);
    await continueFeed(sql);
    await options.finish(sql);
    // Whatever that has set for itself.
    await client.query('set local synchronous_commit = on');
    options.signal.throwIfAborted();
    await client.query('commit');
    options.onStep?.('statistics');
    await client.query('analyze');
  });
}

async function requireSameQueue(
  client: pg.Client,
  { queueMigration, version }: BackupDescription,
): Promise<void> {
  if ((await newestQueueMigration(client)) === queueMigration) return;
  throw new InvalidInputError(
    `The backup was made with another release of the queue, by Stowage ${version}`,
    {
      hint: 'Restore it with that release, then run "stowage migrate" of this one.',
    },
  );
}

async function makeSchema(client: pg.Client, { migrations }: BackupDescription): Promise<void> {
  await createMigrationsTable(client);
  for (const name of [...migrations].sort()) {
    const text = await readFile(join(MIGRATIONS, name), 'utf8');
    // Nobody is there who would have to wait.
    await client.query(isConcurrent(text) ? text.replaceAll(/\bindex\s+concurrently\b/gi, 'index') : text);
    await client.query('insert into migrations (name) values ($1)', [name]);
  }
}

/** Without constraints between tables and without triggers meanwhile: the rows are right, and come in any order. */
async function fill(
  client: pg.Client,
  { path, description, signal, onStep, onTable }: LoadOptions,
): Promise<void> {
  const own = new Map((await tablesOf(client)).map(({ name, columns }) => [name, columns]));
  for (const { name, columns } of description.tables) {
    if (columns.every((column) => own.get(name)?.includes(column))) continue;
    throw new InvalidInputError(
      `The backup has a table that is not of Stowage: ${name} (${columns.join(', ')})`,
    );
  }
  const tables = description.tables.map(({ name }) => name);
  const references = await referencesOf(client, tables);
  for (const { table, name } of references)
    await client.query(`alter table ${table} drop constraint ${name}`);
  for (const table of tables) await client.query(`alter table ${table} disable trigger user`);
  if (tables.length > 0) await client.query(`truncate ${tables.join(', ')}`);
  for (const table of description.tables) {
    onStep?.(`table ${table.name}`);
    await loadTable(client, path, table, signal);
    onTable?.(table);
  }
  for (const { name, last, isCalled } of description.sequences) {
    await client.query('select setval($1::regclass, $2::bigint, $3)', [name, last, isCalled]);
  }
  for (const table of tables) await client.query(`alter table ${table} enable trigger user`);
  for (const { table, name, definition } of references) {
    onStep?.(`references of ${table}`);
    await client.query(`alter table ${table} add constraint ${name} ${definition}`);
  }
}

async function referencesOf(
  client: pg.Client,
  tables: readonly string[],
): Promise<{ table: string; name: string; definition: string }[]> {
  const { rows } = await client.query(
    `select conrelid::regclass::text as table, quote_ident(conname) as name, pg_get_constraintdef(oid) as definition
     from pg_constraint where contype = 'f' and conrelid = any ($1::text[]::regclass[]) order by 1, 2`,
    [tables],
  );
  return rows;
}

async function loadTable(
  client: pg.Client,
  path: string,
  { name, columns, rows }: DumpedTable,
  signal: AbortSignal,
): Promise<void> {
  const into = client.query(copyFrom(`copy ${name} (${columns.join(', ')}) from stdin`));
  await pipeline(readCompressed(path, tableFile(name)), into, { signal }).catch((error: unknown) => {
    // What COPY says of it is not why.
    throw signal.aborted ? signal.reason : error;
  });
  if (into.rowCount === rows) return;
  throw new DomainError(
    'checksum-mismatch',
    `${name} has ${into.rowCount} rows in the backup instead of ${rows}`,
  );
}
