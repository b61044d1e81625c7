import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../domain/database/embedded-postgres.ts';

const RETRY_MS = 1_000;

/**
 * The embedded PostgreSQL of a process tree. When it ends by itself it is started again at the same address, where
 * gateway and worker look for it.
 */
export class KeptPostgres {
  readonly url: string;
  readonly #dataDir: string;
  readonly #logger: Logger;
  readonly #stopping = new AbortController();
  readonly #keeping: Promise<void>;
  #running: EmbeddedPostgres;

  private constructor(dataDir: string, logger: Logger, running: EmbeddedPostgres) {
    this.url = running.url;
    this.#dataDir = dataDir;
    this.#logger = logger;
    this.#running = running;
    this.#keeping = this.#keep();
  }

  static async start(dataDir: string, logger: Logger): Promise<KeptPostgres> {
    return new KeptPostgres(dataDir, logger, await startEmbeddedPostgres({ dataDir }));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#keeping;
    await this.#running.stop();
  }

  async #keep(): Promise<void> {
    const { signal } = this.#stopping;
    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    const port = Number(new URL(this.url).port);
    while (!signal.aborted) {
      await Promise.race([this.#running.ended, stopped]);
      if (signal.aborted) return;
      this.#logger.error('the embedded PostgreSQL has ended; it is started again');
      try {
        this.#running = await startEmbeddedPostgres({ dataDir: this.#dataDir, port });
      } catch (error) {
        this.#logger.error({ err: error }, 'the embedded PostgreSQL does not start');
        await pause(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }
}
