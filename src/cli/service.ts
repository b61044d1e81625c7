import type { Logger } from 'pino';
import { readSettings, type Settings } from '../domain/config.ts';
import { stopUnusedPostgres } from '../domain/database/embedded-postgres.ts';
import { openTracing, type Tracing } from '../domain/tracing/tracing.ts';
import { printableError, printError } from './print-error.ts';
import { processLogger } from './process-logger.ts';
import { onTermination } from './termination.ts';

/** What a supervised process tells its supervisor over the IPC channel. */
export type ServiceMessage =
  | { type: 'ready'; url: string | null }
  | { type: 'failed'; code: string; message: string; hint: string | null };

interface RunningService {
  /** Where it listens; null: nowhere. */
  url: string | null;
  stop(): Promise<void>;
  /** Ends when the service ended by itself. */
  done?: Promise<void>;
}

export type StartService = (options: {
  settings: Settings;
  logger: Logger;
  /** Aborted when the process has to end. */
  signal: AbortSignal;
  /** null: traces are off. */
  tracing: Tracing | null;
}) => Promise<RunningService>;

/**
 * Life of one server process: start, tell that it is ready, end on SIGTERM, SIGINT or when the supervisor is gone.
 * Who insists with a second signal ends it at once.
 */
export async function runService(name: string, start: StartService): Promise<void> {
  const settings = readSettings();
  const logger = processLogger(settings, name);
  const ending = new AbortController();
  const ended = endOf(ending, logger);
  masked(logger);
  try {
    const tracing = await openTracing(settings, {
      serviceName: `stowage-${name}`,
      environment: process.env,
      onLost: (error) => logger.warn({ err: error }, 'traces were not taken by the collector'),
    });
    const service = await start({ settings, logger, signal: ending.signal, tracing });
    tell({ type: 'ready', url: service.url });
    await Promise.race([ended, service.done ?? ended]);
    if (!ending.signal.aborted) {
      logger.error('the service ended by itself');
      // For those who start again what has failed, and only that.
      process.exitCode = 1;
    }
    logger.info('stopping');
    await service.stop();
    await tracing?.close();
    logger.info('stopped');
  } catch (error) {
    if (!ending.signal.aborted) report(error);
  }
  if (process.channel) process.disconnect();
  // A killed supervisor could not stop the database that it had started.
  if (ending.signal.reason === ORPHANED) await stopUnusedPostgres(settings.dataDir).catch(() => undefined);
  process.exit();
}

const ORPHANED = 'the supervisor is gone';

function endOf(ending: AbortController, logger: Logger): Promise<void> {
  return new Promise((resolve) => {
    const end = (reason: string): void => {
      if (ending.signal.aborted) return;
      logger.debug({ reason }, 'end of service');
      ending.abort(reason);
      resolve();
    };
    onTermination(end, () => process.exit(1));
    if (process.channel) process.on('disconnect', () => end(ORPHANED));
  });
}

/** Defects end the process, said once; whoever supervises it starts another. */
function masked(logger: Logger): void {
  const die = (error: unknown): void => {
    logger.fatal({ err: error }, 'unexpected error');
    process.exit(1);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);
}

/** To the supervisor if there is one, which then prints it. */
function report(error: unknown): void {
  if (process.channel) {
    const { code, message, hint, exitCode } = printableError(error);
    tell({ type: 'failed', code, message, hint });
    process.exitCode = exitCode;
  } else {
    process.exitCode = printError(error);
  }
}

function tell(message: ServiceMessage): void {
  if (process.channel) process.send?.(message);
}
