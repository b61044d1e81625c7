import { DomainError } from '../../domain/errors.ts';
import { cancelRequest, type RequestOutcome, readOutcome, requestEvents } from '../client/bundle-requests.ts';
import { followWork } from '../client/follow-work.ts';
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
  const onLost = (error: Error) => reporter.warn(`${error.message}; trying again`);
  await followWork(
    client,
    {
      ...{ subject: 'bundleRequest', number, logGraceMs: LOG_GRACE_MS },
      async showEvents(signal) {
        for await (const event of requestEvents(client, number, { signal, onLost })) reporter.event(event);
      },
      showLine: (line) => reporter.log(line),
      // The log is a courtesy; what matters comes as events.
      onLogLost: () => undefined,
      onInterrupt: () => reporter.note(`cancelling request ${number}`),
      cancel: () => cancelRequest(client, number),
    },
    interrupted,
  );
  return requireComplete(await readOutcome(client, number), number);
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
