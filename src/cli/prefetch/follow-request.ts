import { DomainError } from '../../domain/errors.ts';
import {
  cancelRequest,
  followLog,
  type RequestOutcome,
  readOutcome,
  requestEvents,
} from '../client/bundle-requests.ts';
import type { StowageClient } from '../client/stowage-client.ts';
import type { PrefetchReporter } from './reporter.ts';

const LOG_GRACE_MS = 2_000;

/** Shows events and warnings until the request has ended. Throws its error, or DomainError('interrupted'). */
export async function followRequest(
  client: StowageClient,
  number: number,
  reporter: PrefetchReporter,
  interrupted: AbortSignal,
): Promise<RequestOutcome> {
  const ended = new AbortController();
  const onInterrupt = (): void => {
    reporter.note(`cancelling request ${number}`);
    cancelRequest(client, number).catch((error: Error) => {
      // It may have ended by itself just now; anything else must not keep us.
      setTimeout(() => ended.abort(error), LOG_GRACE_MS);
    });
  };
  interrupted.addEventListener('abort', onInterrupt, { once: true });
  if (interrupted.aborted) onInterrupt();
  const log = showLog(client, number, reporter, ended.signal);
  try {
    const events = requestEvents(client, number, {
      signal: ended.signal,
      onLost: (error) => reporter.warn(`${error.message}; trying again`),
    });
    for await (const event of events) reporter.event(event);
  } catch (error) {
    if (!interrupted.aborted) throw error;
  } finally {
    interrupted.removeEventListener('abort', onInterrupt);
    const grace = setTimeout(() => ended.abort(), interrupted.aborted ? 0 : LOG_GRACE_MS);
    await log;
    clearTimeout(grace);
    ended.abort();
  }
  if (interrupted.aborted) throw new DomainError('interrupted', 'Interrupted');
  return requireComplete(await readOutcome(client, number), number);
}

async function showLog(
  client: StowageClient,
  number: number,
  reporter: PrefetchReporter,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const line of followLog(client, number, signal)) reporter.log(line);
  } catch {
    // The log is a courtesy; what matters comes as events.
  }
}

function requireComplete(outcome: RequestOutcome | null, number: number): RequestOutcome {
  if (outcome?.state === 'complete' && outcome.bundle) return outcome;
  if (!outcome) throw new DomainError('not-found', `Request ${number} is gone`);
  const { error, state, stateReason } = outcome;
  if (!error) throw new DomainError(`request-${state}`, `Request ${number} is ${state}: ${stateReason}`);
  throw new DomainError(error.code, error.message, {
    ...(error.hint !== null && { hint: error.hint }),
    details: error.details ?? {},
  });
}
