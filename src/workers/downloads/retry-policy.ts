const RETRIES = 5;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;
/** A server that asks for more is asked again earlier. */
const LONGEST_RETRY_AFTER_MS = 120_000;

/** How often and when a failed transfer is tried again (prefetch.md 11). */
export interface RetryPolicy {
  retries: number;
  /** Wait before the retry with this number, from 1. */
  wait(retry: number): number;
}

/** Exponential, with jitter: about 1, 2, 4, 8 and 16 seconds. */
export const defaultRetryPolicy: RetryPolicy = {
  retries: RETRIES,
  wait: (retry) => Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (retry - 1)) * (0.5 + Math.random()),
};

export function isRetryableStatus(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** Milliseconds of a Retry-After header in either form (seconds, HTTP date), or null. */
export function retryAfterMs(header: string | string[] | undefined, now = Date.now()): number | null {
  const value = (Array.isArray(header) ? header[0] : header)?.trim();
  if (!value) return null;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), LONGEST_RETRY_AFTER_MS);
}
