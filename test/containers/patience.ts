import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError } from '../../src/domain/errors.ts';

/** Whether nobody was there, or something behind the server was away. Anything else is an answer. */
export function isPassing(error: unknown): boolean {
  return error instanceof DomainError && error.retryable;
}

/** No bound of what is tested: a busy machine needs long to start a process again. */
const DEADLINE_MS = 300_000;
const PAUSE_MS = 200;

/** Does it again until somebody has answered; returns how often the answer was lost. */
export async function patiently<T>(call: () => Promise<T>): Promise<{ answer: T; lost: number }> {
  const deadline = Date.now() + DEADLINE_MS;
  for (let lost = 0; ; lost++) {
    try {
      return { answer: await call(), lost };
    } catch (error) {
      if (!isPassing(error) || Date.now() > deadline) throw error;
    }
    await sleep(PAUSE_MS);
  }
}
