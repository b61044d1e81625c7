import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import type { Settings } from '../config.ts';
import type { Database } from '../database/database.ts';
import { newerMigrations } from '../database/pending-migrations.ts';
import { endBackup, renewBackup, startBackup } from '../database/sql/running-backups.ts';
import { ConflictError, DomainError } from '../errors.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { type CopiedBlobs, copyBlobs } from '../storage/copy-blobs.ts';
import { FileBlobStore } from '../storage/file-blob-store.ts';
import { version } from '../version.ts';
import { BackupWriter, finishDirectory, makeUnfinished, readBlobList } from './backup-files.ts';
import {
  BACKUP_FORMAT,
  type BackupDescription,
  type BackupObserver,
  BLOBS,
  DESCRIPTION,
  KEYS,
  type LostBlob,
} from './backup-format.ts';
import { type DumpedDatabase, dumpDatabase } from './dump-database.ts';

export interface BackupOptions extends BackupObserver {
  database: Database;
  blobs: BlobStore;
  settings: Pick<Settings, 'dataDir'>;
  /** Of all backups. */
  directory: string;
  signal: AbortSignal;
  onBlobs?: (soFar: CopiedBlobs) => void;
}

export interface FinishedBackup {
  path: string;
  description: BackupDescription;
  copied: Pick<CopiedBlobs, 'copied' | 'bytes' | 'present'>;
}

/**
 * Makes a backup while everything goes on: first the rows, as they are at one moment, then the bytes that they name. Bytes
 * never change, and those that come later are of no interest; none are removed while it runs, since the collector of garbage
 * waits for it. Bytes first would not do: rows may name what has come after them.
 */
export async function backUp(options: BackupOptions): Promise<FinishedBackup> {
  const { database, directory } = options;
  await requireOwnRelease(database);
  const { name, path: unfinished } = await makeUnfinished(directory, new Date());
  const hold = await Hold.begin(database);
  try {
    const signal = AbortSignal.any([options.signal, hold.lost]);
    const { description, copied } = await write(options, unfinished, signal);
    signal.throwIfAborted();
    return { path: await finishDirectory(directory, name), description, copied };
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw hold.lost.aborted ? hold.lost.reason : error;
  } finally {
    await hold.end();
  }
}

async function requireOwnRelease({ sql }: Database): Promise<void> {
  const newer = await newerMigrations(sql);
  if (newer.length === 0) return;
  throw new ConflictError(`The database is newer than this release: ${newer.join(', ')}`, {
    hint: 'Make the backup with the release that the database is of.',
  });
}

async function write(
  { database, blobs, settings, directory, onStep, onTable, onBlobs }: BackupOptions,
  path: string,
  signal: AbortSignal,
): Promise<Omit<FinishedBackup, 'path'>> {
  const writer = new BackupWriter(path);
  const madeAt = new Date();
  const dumped = await dump(database, writer, {
    signal,
    ...(onStep && { onStep }),
    ...(onTable && { onTable }),
  });
  const lost: LostBlob[] = [];
  const counted = { count: 0, bytes: 0 };
  const { damaged, ...copied } = await copyBlobs(blobs, new FileBlobStore(join(directory, BLOBS)), {
    signal,
    listed: counting(readBlobList(path), counted),
    onMissing: (digest) => lost.push({ digest, problem: 'missing' }),
    ...(onBlobs && { onProgress: onBlobs }),
  });
  for (const digest of damaged) lost.push({ digest, problem: 'damaged' });
  const description: BackupDescription = {
    format: BACKUP_FORMAT,
    madeAt: madeAt.toISOString(),
    version,
    ...dumped,
    blobs: { ...counted, lost: lost.sort((one, other) => (one.digest < other.digest ? -1 : 1)) },
    keys: await writeKeys(settings.dataDir, writer),
  };
  await writer.write(DESCRIPTION, `${JSON.stringify(description, null, 2)}\n`);
  await writer.finish();
  return { description, copied };
}

async function dump(
  { pool, sql }: Database,
  writer: BackupWriter,
  options: Parameters<typeof dumpDatabase>[2],
): Promise<DumpedDatabase> {
  const client = await pool.connect();
  try {
    const dumped = await dumpDatabase(client, writer, options);
    client.release();
    return dumped;
  } catch (error) {
    // Its server may still wait for a table, and would not see that nobody is there any more.
    const { processID } = client as pg.PoolClient & { processID: number };
    await sql.query('select pg_cancel_backend($1)', [processID]).catch(() => undefined);
    client.release(true);
    throw error;
  }
}

async function* counting<T extends { size: number }>(
  items: AsyncIterable<T>,
  counted: { count: number; bytes: number },
): AsyncGenerator<T> {
  for await (const item of items) {
    counted.count += 1;
    counted.bytes += item.size;
    yield item;
  }
}

/** Those that this installation made itself; the operator's own files are the operator's to keep. */
async function writeKeys(dataDir: string, writer: BackupWriter): Promise<string[]> {
  const written: string[] = [];
  for (const below of ['', 'retired']) {
    const names = await readdir(join(dataDir, 'keys', below)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    for (const name of names.filter((one) => one.endsWith('.pem')).sort()) {
      const key = join(below, name);
      await writer.write(`${KEYS}/${key}`, await readFile(join(dataDir, 'keys', key)));
      written.push(key);
    }
  }
  return written;
}

const RENEW_MS = 15_000;

/** Keeps the collector of garbage from removing bytes. */
class Hold {
  readonly #database: Database;
  readonly #id: string;
  readonly #lost = new AbortController();
  readonly #timer: NodeJS.Timeout;

  private constructor(database: Database, id: string) {
    this.#database = database;
    this.#id = id;
    this.#timer = setInterval(() => void this.#renew(), RENEW_MS);
  }

  static async begin(database: Database): Promise<Hold> {
    return new Hold(database, await startBackup(database.sql));
  }

  /** Aborted when bytes may have been removed. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    await endBackup(this.#database.sql, this.#id).catch(() => undefined);
  }

  async #renew(): Promise<void> {
    // A database that is away for a moment is asked again; when it was away for too long it says so.
    if (await renewBackup(this.#database.sql, this.#id).catch(() => true)) return;
    this.#lost.abort(
      new DomainError(
        'database-unavailable',
        'The database was away for so long that the backup may miss bytes',
        {
          hint: 'Start it again; what has been copied need not be copied anew.',
          retryable: true,
        },
      ),
    );
  }
}
