import { setTimeout as pause } from 'node:timers/promises';
import { BuildFailure } from '../../domain/images/build-failure.ts';

/** Our registry did not answer, or said that it cannot now: that says nothing about the image that was to go there or come. */
export class RegistryAwayError extends BuildFailure {
  constructor(message: string, cause?: unknown) {
    super('push-failed', message, { retryable: true, ...(cause !== undefined && { cause }) });
  }
}

/** Of a gateway that ends, of one that is not there, and of one whose database or blob store is away. */
const AWAY =
  /connection (refused|reset)|broken pipe|\bEOF\b|timeout|no route to host|\b(429|502|503|504)\b|toomanyrequests|blob upload (unknown|invalid)/i;

/** What a program says last that could not talk to the registry. */
export function saysAway(lastLine: string): boolean {
  return AWAY.test(lastLine);
}

/** What a program that pushes ended with. */
export function pushFailure(lastLine: string): BuildFailure {
  const message = `The image could not be pushed: ${lastLine}`;
  if (saysAway(lastLine)) return new RegistryAwayError(message);
  return new BuildFailure('push-failed', message, { retryable: true });
}

/** Whether a status of the registry is one of {@link RegistryAwayError}. */
export function isAway(status: number): boolean {
  return [429, 502, 503, 504].includes(status);
}

interface RegistryWait {
  signal: AbortSignal;
  /** Takes a line of the build's log, before each wait. */
  onLine(line: string): unknown;
  /** How long it may be away. */
  waitMs?: number;
  pauseMs?: number;
}

/**
 * Does it again while the registry is away: gateways are started again one by one, and there may be others behind the same
 * address. Throws {@link RegistryAwayError} when it stays away.
 */
export async function whenRegistryAnswers<T>(
  exchange: () => Promise<T>,
  { signal, onLine, waitMs = 60_000, pauseMs = 1_000 }: RegistryWait,
): Promise<T> {
  let awaySince: number | null = null;
  for (;;) {
    try {
      return await exchange();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof RegistryAwayError)) throw error;
      awaySince ??= performance.now();
      if (performance.now() - awaySince >= waitMs) throw error;
      void onLine(`${error.message}; trying again`);
    }
    await pause(pauseMs, undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
  }
}
