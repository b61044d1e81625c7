import { DomainError, NotFoundError } from '../../domain/errors.ts';
import {
  type BuildOutcome,
  buildEvents,
  cancelBuild,
  followBuildLog,
  readBuild,
} from '../client/image-builds.ts';
import type { StowageClient } from '../client/stowage-client.ts';
import type { BuildReporter } from './reporter.ts';

const LOG_GRACE_MS = 10_000;
const CANCEL_GRACE_MS = 2_000;

/** Shows log and states until the build has ended. Throws its failure, or DomainError('interrupted'). */
export async function followBuild(
  client: StowageClient,
  number: number,
  reporter: BuildReporter,
  interrupted: AbortSignal,
): Promise<BuildOutcome> {
  const ended = new AbortController();
  const onInterrupt = (): void => {
    reporter.note(`cancelling build ${number}`);
    cancelBuild(client, number).catch((error: Error) => {
      // It may have ended by itself just now; anything else must not keep us.
      setTimeout(() => ended.abort(error), CANCEL_GRACE_MS);
    });
  };
  interrupted.addEventListener('abort', onInterrupt, { once: true });
  if (interrupted.aborted) onInterrupt();
  const log = showLog(client, number, reporter, ended.signal);
  try {
    const onLost = (error: Error) => reporter.warn(`${error.message}; trying again`);
    for await (const event of buildEvents(client, number, { signal: ended.signal, onLost })) {
      reporter.buildEvent(event);
    }
  } catch (error) {
    if (!interrupted.aborted) throw error;
  } finally {
    interrupted.removeEventListener('abort', onInterrupt);
    // The log closes with the build: what is still on its way comes.
    const grace = setTimeout(() => ended.abort(), interrupted.aborted ? 0 : LOG_GRACE_MS);
    await log;
    clearTimeout(grace);
    ended.abort();
  }
  if (interrupted.aborted) throw new DomainError('interrupted', 'Interrupted');
  return requireSuccess(await readBuild(client, number), number);
}

async function showLog(
  client: StowageClient,
  number: number,
  reporter: BuildReporter,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const line of followBuildLog(client, number, signal)) reporter.output(line);
  } catch (error) {
    if (!signal.aborted) reporter.warn(`the log broke off: ${(error as Error).message}`);
  }
}

function requireSuccess(build: BuildOutcome | null, number: number): BuildOutcome {
  if (build === null) throw new NotFoundError(`Build ${number} is gone: its image was deleted`);
  if (build.state === 'succeeded') return build;
  const { failure, state } = build;
  if (!failure) throw new DomainError(`build-${state}`, `Build ${number} is ${state}`);
  throw new DomainError(failure.reason, failure.message, {
    details: failure.details ?? {},
    hint: `stowage logs --build ${number} shows its log.`,
  });
}
