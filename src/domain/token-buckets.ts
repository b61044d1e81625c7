interface Bucket {
  tokens: number;
  at: number;
}

/**
 * An allowance for each key, which fills up again with time. Only so many keys are remembered, those that were used last:
 * a key that is forgotten has all of its allowance again.
 */
export class TokenBuckets {
  readonly #size: number;
  readonly #perMillisecond: number;
  readonly #mostKeys: number;
  readonly #buckets = new Map<string, Bucket>();

  /** `size` at once, and as many in `seconds`. */
  constructor({ size, seconds, mostKeys = 10_000 }: { size: number; seconds: number; mostKeys?: number }) {
    this.#size = size;
    this.#perMillisecond = size / (seconds * 1_000);
    this.#mostKeys = mostKeys;
  }

  /** 0: it had one, and has one less; else the seconds until it has one again. */
  take(key: string): number {
    const bucket = this.#filled(key);
    if (bucket.tokens < 1) return Math.ceil((1 - bucket.tokens) / this.#perMillisecond / 1_000);
    bucket.tokens -= 1;
    return 0;
  }

  giveBack(key: string): void {
    const bucket = this.#filled(key);
    bucket.tokens = Math.min(this.#size, bucket.tokens + 1);
  }

  #filled(key: string): Bucket {
    const now = performance.now();
    const bucket = this.#buckets.get(key) ?? { tokens: this.#size, at: now };
    bucket.tokens = Math.min(this.#size, bucket.tokens + (now - bucket.at) * this.#perMillisecond);
    bucket.at = now;
    // In the order in which they were used.
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#mostKeys) this.#buckets.delete(this.#buckets.keys().next().value!);
    return bucket;
  }
}
