import type { StdioOptions } from 'node:child_process';
import type { Logger } from 'pino';
import type { Settings } from '../domain/config.ts';
import { openDatabase } from '../domain/database/database.ts';
import { ensureAdministrator } from '../domain/identity/accounts.ts';
import { KeptPostgres } from './kept-postgres.ts';
import { prepareDatabase } from './prepare-database.ts';
import { SupervisedProcess } from './supervised-process.ts';

export interface ProcessTreeOptions {
  settings: Settings;
  logger: Logger;
  /** Environment of the children; DATABASE_URL is added. */
  environment: NodeJS.ProcessEnv;
  /** stdin, stdout, stderr of the children. */
  stdio: StdioOptions & readonly unknown[];
}

export interface ProcessTree {
  /** Where the gateway listens. */
  url: string;
  databaseUrl: string;
  /** Children first, then an embedded PostgreSQL that nobody else uses. Idempotent. */
  stop(): Promise<void>;
}

/**
 * One gateway and one worker on a prepared database: what `npm start` runs, and `stowage prefetch` without a server.
 * Nothing is left behind when this throws, and nothing stays when this process is killed: children notice the closed
 * channel and stop the database that nobody uses any more.
 */
export async function startProcessTree(options: ProcessTreeOptions): Promise<ProcessTree> {
  const { settings, logger } = options;
  const embedded = settings.databaseUrl === null ? await KeptPostgres.start(settings.dataDir, logger) : null;
  const databaseUrl = settings.databaseUrl ?? embedded!.url;
  const environment = { ...options.environment, DATABASE_URL: databaseUrl };
  const gateway = new SupervisedProcess({ name: 'gateway', environment, stdio: options.stdio, logger });
  const worker = new SupervisedProcess({ name: 'worker', environment, stdio: options.stdio, logger });
  let stopping: Promise<void> | null = null;
  const stopAll = async (): Promise<void> => {
    await Promise.all([gateway.stop(), worker.stop()]);
    await embedded?.stop();
  };
  const stop = (): Promise<void> => (stopping ??= stopAll());
  try {
    await prepare(databaseUrl, settings, logger);
    const [url] = await Promise.all([gateway.start(), worker.start()]);
    return { url: url!, databaseUrl, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function prepare(databaseUrl: string, settings: Settings, logger: Logger): Promise<void> {
  const { applied } = await prepareDatabase(databaseUrl);
  if (applied.length > 0) logger.info({ applied }, 'database migrated');
  const database = await openDatabase({ url: databaseUrl, connections: 2, applicationName: 'stowage-setup' });
  try {
    await ensureAdministrator(database, settings);
  } finally {
    await database.close();
  }
}
