import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LoginAttempts, networkOf } from '../../../src/domain/identity/login-attempts.ts';

const HERE = '192.0.2.1';
const ELSEWHERE = '198.51.100.1';
const MINUTE = 60_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Attempts that fail until one is refused: how many were let through, and after how many seconds the next one may be. */
function failUntilRefused(attempts: LoginAttempts, name: string, address?: string): [number, number] {
  for (let count = 0; count < 1_000; count += 1) {
    try {
      attempts.begin(name, address);
    } catch (error) {
      return [count, (error as { details: { retryAfterSeconds: number } }).details.retryAfterSeconds];
    }
  }
  return [1_000, 0];
}

describe('Wrong passwords', () => {
  test('of an account are few, wherever they come from, and more with time', () => {
    const attempts = new LoginAttempts({ loginFailures: 3, loginFailuresPerAddress: 100 });
    expect(failUntilRefused(attempts, 'ada', HERE)).toEqual([3, 300]);
    expect(failUntilRefused(attempts, 'ada', ELSEWHERE)).toEqual([0, 300]);
    expect(failUntilRefused(attempts, 'ada')).toEqual([0, 300]);
    expect(failUntilRefused(attempts, 'bob', HERE)).toEqual([3, 300]);
    vi.advanceTimersByTime(4 * MINUTE);
    expect(failUntilRefused(attempts, 'ada', HERE)).toEqual([0, 60]);
    vi.advanceTimersByTime(MINUTE);
    expect(failUntilRefused(attempts, 'ada', HERE)).toEqual([1, 300]);
    vi.advanceTimersByTime(60 * MINUTE);
    expect(failUntilRefused(attempts, 'ada', HERE)).toEqual([3, 300]);
  });

  test('from an address are few, whatever the account, which keeps its own', () => {
    const attempts = new LoginAttempts({ loginFailures: 3, loginFailuresPerAddress: 5 });
    expect(failUntilRefused(attempts, 'ada', HERE)).toEqual([3, 300]);
    expect(failUntilRefused(attempts, 'bob', HERE)).toEqual([2, 180]);
    expect(failUntilRefused(attempts, 'eve', HERE)).toEqual([0, 180]);
    expect(failUntilRefused(attempts, 'eve', ELSEWHERE)).toEqual([3, 300]);
  });

  test('of others do not keep anybody out who has logged in from the same address before', () => {
    const attempts = new LoginAttempts({ loginFailures: 3, loginFailuresPerAddress: 5 });
    attempts.begin('ada', HERE).succeeded();
    expect(failUntilRefused(attempts, 'ada', ELSEWHERE)[0]).toBe(3);
    for (const name of ['bob', 'eve']) failUntilRefused(attempts, name, HERE);
    expect(failUntilRefused(attempts, 'new', HERE)[0]).toBe(0);
    for (let count = 0; count < 10; count += 1) attempts.begin('ada', HERE).succeeded();
    // But even from there only so many.
    expect(failUntilRefused(attempts, 'ada', HERE)[0]).toBe(3);
  });

  test('are counted when they begin: many at a time are not more', () => {
    const attempts = new LoginAttempts({ loginFailures: 3, loginFailuresPerAddress: 100 });
    const [first] = [1, 2, 3].map(() => attempts.begin('ada', HERE));
    expect(failUntilRefused(attempts, 'ada', ELSEWHERE)[0]).toBe(0);
    first!.succeeded();
    expect(failUntilRefused(attempts, 'ada', ELSEWHERE)[0]).toBe(1);
  });

  test('are any number where there is no limit', () => {
    const attempts = new LoginAttempts({ loginFailures: 0, loginFailuresPerAddress: 0 });
    expect(failUntilRefused(attempts, 'ada', HERE)[0]).toBe(1_000);
  });

  test('are remembered of so many names only', () => {
    const attempts = new LoginAttempts({ loginFailures: 1, loginFailuresPerAddress: 0 });
    attempts.begin('ada', HERE);
    for (let number = 0; number < 9_999; number += 1) attempts.begin(`user-${number}`, HERE);
    expect(failUntilRefused(attempts, 'ada', HERE)[0]).toBe(0);
    for (let number = 0; number < 10_000; number += 1) attempts.begin(`other-${number}`, HERE);
    expect(failUntilRefused(attempts, 'ada', HERE)[0]).toBe(1);
  });
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2::1', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['unknown', 'unknown'],
])('%s is in %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
