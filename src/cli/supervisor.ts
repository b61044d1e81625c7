import type { StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Logger } from 'pino';
import type { Settings } from '../domain/config.ts';
import { openDatabase } from '../domain/database/database.ts';
import { DomainError } from '../domain/errors.ts';
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
  /** Where the gateways listen. */
  url: string;
  databaseUrl: string;
  /** Children first, then an embedded PostgreSQL that nobody else uses. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Gateways that share a port, and one worker, on a prepared database: what `npm start` runs, and `stowage prefetch` without a server.
 * Nothing is left behind when this throws, and nothing stays when this process is killed: children notice the closed
 * channel and stop the database that nobody uses any more.
 */
export async function startProcessTree(options: ProcessTreeOptions): Promise<ProcessTree> {
  const { settings, logger } = options;
  const embedded = settings.databaseUrl === null ? await KeptPostgres.start(settings.dataDir, logger) : null;
  const databaseUrl = settings.databaseUrl ?? embedded!.url;
  const environment: NodeJS.ProcessEnv = { ...options.environment, DATABASE_URL: databaseUrl };
  const supervised = (name: 'gateway' | 'worker'): SupervisedProcess =>
    new SupervisedProcess({ name, environment, stdio: options.stdio, logger });
  const gateway = supervised('gateway');
  const others = Array.from({ length: settings.gatewayProcesses - 1 }, () => supervised('gateway'));
  const worker = supervised('worker');
  let stopping: Promise<void> | null = null;
  const stopAll = async (): Promise<void> => {
    const deadlineMs = settings.drainSeconds * 1_000 + STOP_MARGIN_MS;
    await Promise.all([gateway, ...others, worker].map((one) => one.stop(deadlineMs)));
    await embedded?.stop();
  };
  const stop = (): Promise<void> => (stopping ??= stopAll());
  try {
    await prepare(databaseUrl, settings, logger);
    if (others.length > 0) await requireFreePort(settings);
    const [url] = await Promise.all([gateway.start(), worker.start()]);
    // Those that follow, and whoever is started again, listen where the first one does.
    environment.STOWAGE_PORT = new URL(url!).port || '80';
    await Promise.all(others.map((other) => other.start()));
    return { url: url!, databaseUrl, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What a process may need to end beyond the time that it lets its work run. */
const STOP_MARGIN_MS = 10_000;

/** Gateways that share a port would share it with another server as well, and nobody would notice. */
async function requireFreePort({ host, port }: Settings): Promise<void> {
  if (port === 0) return;
  const server = createServer().listen({ host, port });
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new DomainError('service-failed', `Cannot listen on port ${port}: ${(error as Error).message}`, {
      cause: error,
      hint: 'Set STOWAGE_PORT to another one.',
    });
  }
  server.close();
  await once(server, 'close');
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
