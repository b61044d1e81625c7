import { setTimeout as pause } from 'node:timers/promises';
import { DomainError } from '../../domain/errors.ts';
import type { StowageClient } from './stowage-client.ts';

export interface Followed<T> {
  document: string;
  variables: object;
  /** Name of the variable after which a new connection goes on. */
  cursor: string;
  /** The value of an item from which the next connection goes on. */
  position: (item: T) => number;
  /** Called when the connection was lost or the server could not, before the next one. */
  onLost?: (error: DomainError) => void;
}

const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 5_000;
const GIVE_UP_AFTER_MS = 120_000;

/**
 * A subscription that survives lost connections, and a database that is away: each new one resumes behind the last item,
 * so that nothing is missed and nothing comes twice. Gives up when the server stays away.
 */
export async function* follow<T>(
  client: StowageClient,
  options: Followed<T>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  let last = 0;
  let delay = FIRST_DELAY_MS;
  let lostAt: number | null = null;
  for (;;) {
    try {
      const variables = { ...options.variables, [options.cursor]: last };
      for await (const item of client.subscribe<T>(options.document, variables, signal)) {
        const position = options.position(item);
        if (position <= last) continue;
        last = position;
        lostAt = null;
        delay = FIRST_DELAY_MS;
        yield item;
      }
      return;
    } catch (error) {
      if (!(error instanceof DomainError && error.retryable) || signal.aborted) throw error;
      lostAt ??= performance.now();
      if (performance.now() - lostAt > GIVE_UP_AFTER_MS) throw error;
      options.onLost?.(error);
      await pause(delay, undefined, { signal });
      delay = Math.min(2 * delay, LONGEST_DELAY_MS);
    }
  }
}
