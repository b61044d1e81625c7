import { type ChildProcess, fork, type StdioOptions } from 'node:child_process';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { DomainError } from '../domain/errors.ts';
import type { ServiceMessage } from './service.ts';

type ServiceName = 'gateway' | 'worker';

export interface SupervisedProcessOptions {
  name: ServiceName;
  environment: NodeJS.ProcessEnv;
  /** Where its stdout and stderr go; the IPC channel is added. */
  stdio: StdioOptions & readonly unknown[];
  logger: Logger;
}

const MAIN = join(import.meta.dirname, 'main.ts');
const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 10_000;
/** A process that lived so long has recovered: the next crash starts with the first delay again. */
const STEADY_MS = 30_000;
const STOP_DEADLINE_MS = 15_000;

/**
 * One gateway or worker as a child: the entry point that production runs. A crash after the first readiness is followed
 * by a restart, later and later; a failure before it is the caller's.
 *
 * starting → ready → crashed → starting …
 *     └─────────┴────────┴──→ stopping → stopped
 */
export class SupervisedProcess {
  readonly #options: SupervisedProcessOptions;
  #child: ChildProcess | null = null;
  #restart: NodeJS.Timeout | null = null;
  #delay = FIRST_DELAY_MS;
  #stopping: Promise<void> | null = null;

  constructor(options: SupervisedProcessOptions) {
    this.#options = options;
  }

  /** Resolves with the URL on which it listens (null for a worker) when it is ready for the first time. */
  async start(): Promise<string | null> {
    return await this.#launch();
  }

  /** SIGTERM, and SIGKILL after a deadline. Idempotent. */
  stop(deadlineMs = STOP_DEADLINE_MS): Promise<void> {
    this.#stopping ??= this.#stop(deadlineMs);
    return this.#stopping;
  }

  /** At once. */
  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  async #stop(deadlineMs: number): Promise<void> {
    if (this.#restart) clearTimeout(this.#restart);
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    const deadline = setTimeout(() => {
      this.#options.logger.warn({ process: this.#options.name }, 'does not stop, killing it');
      child.kill('SIGKILL');
    }, deadlineMs);
    await gone;
    clearTimeout(deadline);
  }

  #launch(): Promise<string | null> {
    const { name, environment, stdio, logger } = this.#options;
    const startedAt = Date.now();
    const child = fork(MAIN, [name], {
      env: environment,
      stdio: [...stdio, 'ipc'] as StdioOptions,
      execArgv: process.execArgv,
      // A Ctrl-C in the terminal reaches only the supervisor, which decides in which order things end.
      detached: true,
    });
    this.#child = child;
    return new Promise((resolve, reject) => {
      let ready = false;
      let failure: DomainError | null = null;
      child.on('message', (message: ServiceMessage) => {
        if (message.type === 'ready') {
          ready = true;
          resolve(message.url);
        } else {
          failure = new DomainError(message.code, message.message, {
            ...(message.hint !== null && { hint: message.hint }),
          });
        }
      });
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        if (!ready) reject(failure ?? neverReady(name, code, signal));
        else if (!this.#stopping) this.#restartLater(startedAt, code ?? signal);
      });
      logger.debug({ process: name, pid: child.pid }, 'started');
    });
  }

  #restartLater(startedAt: number, end: number | string | null): void {
    if (Date.now() - startedAt > STEADY_MS) this.#delay = FIRST_DELAY_MS;
    const { name, logger } = this.#options;
    logger.error({ process: name, end, restartInMs: this.#delay }, 'ended unexpectedly');
    this.#restart = setTimeout(() => {
      this.#launch().catch((error: unknown) => {
        logger.error({ process: name, err: error }, 'did not start');
        if (!this.#stopping) this.#restartLater(startedAt, 'no start');
      });
    }, this.#delay);
    this.#delay = Math.min(2 * this.#delay, LONGEST_DELAY_MS);
  }
}

function neverReady(name: ServiceName, code: number | null, signal: string | null): DomainError {
  return new DomainError(
    'service-failed',
    `The ${name} ended before it was ready (${signal ?? `exit ${code}`})`,
    {
      hint: 'Its log says why; STOWAGE_LOG_LEVEL=debug says more.',
    },
  );
}
