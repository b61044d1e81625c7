import { ConflictError, InvalidInputError } from '../../errors.ts';
import type { BundleRequest, RequestState } from '../bundle-request.ts';

/** Cachito's states and where they lead (cachito.md 2.1). There is no retry, and a cancelled request has failed. */
const STATES = ['complete', 'failed', 'in_progress', 'stale'] as const;
type CachitoState = (typeof STATES)[number];

const TRANSITIONS: Record<CachitoState, readonly CachitoState[]> = {
  in_progress: STATES,
  complete: ['stale'],
  failed: ['stale'],
  stale: [],
};

/**
 * The state that a request goes to; null: it is there already, with the same reason, as after a task that ran twice.
 * Throws InvalidInputError for what is no state, ConflictError for one that does not follow.
 */
export function nextState(
  request: Pick<BundleRequest, 'state' | 'stateReason'>,
  change: { state: string; reason: string },
): RequestState | null {
  const to = STATES.find((state) => state === change.state);
  if (!to) {
    throw new InvalidInputError(
      `The state "${change.state}" is invalid. It must be one of: ${STATES.join(', ')}.`,
    );
  }
  const from = request.state === 'cancelled' ? 'failed' : request.state;
  if (from === to && request.stateReason === change.reason) return null;
  if (!TRANSITIONS[from].includes(to)) {
    throw new ConflictError(`State transition is not allowed from ${from} to ${to}.`);
  }
  return to;
}
