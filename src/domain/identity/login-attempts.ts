import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import type { Settings } from '../config.ts';
import { TooManyRequestsError } from '../errors.ts';
import { TokenBuckets } from '../token-buckets.ts';

export type LoginLimits = Pick<Settings, 'loginFailures' | 'loginFailuresPerAddress'>;

const WINDOW_SECONDS = 15 * 60;
const MOST_KNOWN = 10_000;

/**
 * Slows down who guesses passwords, of one account or of many. So many wrong ones an account and a client address may have
 * in a quarter of an hour; then its attempts are refused, before the password is looked at, until it may have the next one.
 *
 * Nobody is kept out by what others do: an address from which an account has logged in has, for this account, an allowance
 * of its own. Tokens and sessions are not passwords. Each process counts for itself, and remembers so many names and addresses.
 */
export class LoginAttempts {
  readonly #accounts: TokenBuckets | null;
  readonly #addresses: TokenBuckets | null;
  /** An account from an address that it knows. */
  readonly #known: TokenBuckets | null;
  readonly #pairs = new Set<string>();

  /** 0: no limit. */
  constructor({ loginFailures, loginFailuresPerAddress }: LoginLimits) {
    this.#accounts = bucketsOf(loginFailures);
    this.#known = bucketsOf(loginFailures);
    this.#addresses = bucketsOf(loginFailuresPerAddress);
  }

  /**
   * Counts an attempt as a failed one until it is told that it was not. Throws TooManyRequestsError.
   *
   * @param address of the client; absent: nobody's
   */
  begin(name: string, address: string | undefined): { succeeded(): void } {
    const network = address === undefined ? null : networkOf(address);
    const account = hashOf(name);
    const pair = `${account} ${network}`;
    const counted: (readonly [TokenBuckets | null, string])[] = this.#pairs.has(pair)
      ? [[this.#known, pair]]
      : [[this.#accounts, account], ...(network === null ? [] : [[this.#addresses, network] as const])];
    const giveBack: (() => void)[] = [];
    for (const [buckets, key] of counted) {
      const seconds = buckets?.take(key) ?? 0;
      if (seconds > 0) {
        for (const undo of giveBack) undo();
        throw tooMany(seconds);
      }
      giveBack.push(() => buckets?.giveBack(key));
    }
    return {
      succeeded: () => {
        for (const undo of giveBack) undo();
        if (network !== null) this.#remember(pair);
      },
    };
  }

  #remember(pair: string): void {
    this.#pairs.delete(pair);
    this.#pairs.add(pair);
    if (this.#pairs.size > MOST_KNOWN) this.#pairs.delete(this.#pairs.values().next().value!);
  }
}

function bucketsOf(size: number): TokenBuckets | null {
  return size === 0 ? null : new TokenBuckets({ size, seconds: WINDOW_SECONDS });
}

function tooMany(retryAfterSeconds: number): TooManyRequestsError {
  return new TooManyRequestsError('There were too many wrong passwords; try again later', {
    hint: 'Tokens are not affected.',
    details: { retryAfterSeconds },
  });
}

/** Names may be long, and are nothing to keep. */
function hashOf(name: string): string {
  return createHash('sha256').update(name).digest('base64');
}

/** Of version 6 the first half: the other one a client may choose. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (isIP(plain) !== 6) return plain;
  const [head = '', tail] = plain.split('::');
  const groups = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  while (groups.length + last.length < 8) groups.push('0');
  const first = [...groups, ...last].slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${first.join(':')}::/64`;
}
