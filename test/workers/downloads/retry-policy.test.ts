import { expect, test } from 'vitest';
import {
  defaultRetryPolicy,
  isRetryableStatus,
  retryAfterMs,
} from '../../../src/workers/downloads/retry-policy.ts';

const now = Date.parse('2026-01-01T00:00:00Z');

test.each([
  ['3', 3000],
  [' 0 ', 0],
  ['Thu, 01 Jan 2026 00:00:05 GMT', 5000],
  ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
  ['86400', 120_000],
  ['99999999999999999999', 120_000],
  ['soon', null],
  ['', null],
  [undefined, null],
  [['2', '9'], 2000],
])('Retry-After %j is %j ms', (header, expected) => {
  expect(retryAfterMs(header, now)).toBe(expected);
});

test.each([
  [408, true],
  [429, true],
  [500, true],
  [502, true],
  [503, true],
  [504, true],
  [400, false],
  [401, false],
  [403, false],
  [404, false],
  [410, false],
])('status %i is tried again: %s', (status, expected) => {
  expect(isRetryableStatus(status)).toBe(expected);
});

test('waits grow, with jitter, up to a limit', () => {
  for (const [retry, middle] of [
    [1, 1000],
    [2, 2000],
    [5, 16_000],
    [9, 30_000],
  ] as const) {
    const wait = defaultRetryPolicy.wait(retry);
    expect(wait).toBeGreaterThanOrEqual(middle * 0.5);
    expect(wait).toBeLessThan(middle * 1.5);
  }
});
