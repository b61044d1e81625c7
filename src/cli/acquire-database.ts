import pg from 'pg';
import type { Settings } from '../domain/config.ts';
import { startEmbeddedPostgres } from '../domain/database/embedded-postgres.ts';
import { migrate } from '../domain/database/migrate.ts';
import { DomainError } from '../domain/errors.ts';
import { prepareDatabase } from './prepare-database.ts';

/** A migrated database, for as long as a command needs it. */
export interface AcquiredDatabase {
  url: string;
  /** Stops an embedded PostgreSQL that nobody else uses. */
  release(): Promise<void>;
}

interface WaitOptions {
  signal?: AbortSignal;
  deadlineMs?: number;
  /** Told at the beginning of a wait, and when its reason changes. */
  onWait?: (problem: DomainError) => void;
}

/**
 * DATABASE_URL, or the embedded PostgreSQL, started or adopted. The embedded one belongs to whoever comes first and is
 * brought up to date at once; a database of the operator's is waited for, since `stowage migrate` may be under way.
 */
export async function acquireDatabase(
  settings: Settings,
  options: WaitOptions = {},
): Promise<AcquiredDatabase> {
  if (settings.databaseUrl !== null) {
    await untilMigrated(settings.databaseUrl, options);
    return { url: settings.databaseUrl, release: async () => undefined };
  }
  const embedded = await startEmbeddedPostgres({ dataDir: settings.dataDir });
  try {
    await prepareDatabase(embedded.url);
  } catch (error) {
    await embedded.stop();
    throw error;
  }
  return { url: embedded.url, release: () => embedded.stop() };
}

const DEADLINE_MS = 60_000;
const RETRY_MS = 250;

async function untilMigrated(
  url: string,
  { signal, deadlineMs = DEADLINE_MS, onWait }: WaitOptions,
): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  let told = '';
  for (;;) {
    const problem = await whyNotReady(url);
    if (problem === null) return;
    if (signal?.aborted) throw new DomainError('interrupted', 'Stopped while waiting for the database');
    if (Date.now() > deadline || !problem.retryable) throw problem;
    if (problem.message !== told) onWait?.(problem);
    told = problem.message;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** null: reachable and up to date, the job queue included. */
export async function whyNotReady(url: string): Promise<DomainError | null> {
  try {
    const { pending } = await migrate(url, { dryRun: true });
    if (pending.length === 0 && (await hasQueue(url))) return null;
    return new DomainError('database-not-migrated', 'The database is not up to date', {
      hint: 'Run "stowage migrate".',
      retryable: true,
    });
  } catch (error) {
    if (error instanceof DomainError) return error;
    return new DomainError(
      'database-unavailable',
      `The database does not answer: ${(error as Error).message}`,
      {
        cause: error,
        hint: 'Check DATABASE_URL, or leave it unset to use the embedded PostgreSQL.',
        retryable: true,
      },
    );
  }
}

async function hasQueue(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<{ found: boolean }>(
      `select to_regclass('graphile_worker._private_jobs') is not null as found`,
    );
    return rows[0]?.found ?? false;
  } finally {
    await client.end();
  }
}
