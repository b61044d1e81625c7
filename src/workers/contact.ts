/**
 * How long the database has been in reach. Nobody's heart is heard while it is away: who is back first must give the others
 * the time to be heard again before their silence says anything.
 */
export class Contact {
  readonly #longestGapMs: number;
  readonly #now: () => number;
  #latest: number | null = null;
  /** End of the last gap. */
  #since = Number.NEGATIVE_INFINITY;

  constructor(longestGapMs: number, now = Date.now) {
    this.#longestGapMs = longestGapMs;
    this.#now = now;
  }

  /** The database has answered. */
  made(): void {
    const now = this.#now();
    if (this.#latest !== null && now - this.#latest > this.#longestGapMs) this.#since = now;
    this.#latest = now;
  }

  hasLasted(milliseconds: number): boolean {
    return this.#now() - this.#since >= milliseconds;
  }
}
