import type { StepCounters } from '../../domain/bundle-requests/bundle-request.ts';
import { reportProgress, type StepLease } from '../../domain/bundle-requests/run-step.ts';
import type { Database } from '../../domain/database/database.ts';
import { LeaseLostError } from '../../domain/lease-lost.ts';
import type { StepProgress } from '../ecosystems/ecosystem.ts';

const INTERVAL_MS = 250;

/** Sums up counters and tells subscribers at most four times a second. */
export class StepProgressReporter implements StepProgress {
  readonly #database: Database;
  readonly #lease: StepLease;
  readonly #onLost: () => void;
  readonly #counters: Required<StepCounters> = {
    packages: 0,
    files: 0,
    bytes: 0,
    cachedFiles: 0,
    expectedPackages: 0,
    expectedFiles: 0,
  };
  #changed = false;
  #timer: NodeJS.Timeout | null = null;
  #sending: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(database: Database, lease: StepLease, onLost: () => void) {
    this.#database = database;
    this.#lease = lease;
    this.#onLost = onLost;
  }

  /** What was done until now. */
  get counters(): Readonly<Required<StepCounters>> {
    return this.#counters;
  }

  expect(counts: { packages?: number; files?: number }): void {
    this.#counters.expectedPackages += counts.packages ?? 0;
    this.#counters.expectedFiles += counts.files ?? 0;
    this.#schedule();
  }

  add(counts: { packages?: number; files?: number; bytes?: number; cachedFiles?: number }): void {
    this.#counters.packages += counts.packages ?? 0;
    this.#counters.files += counts.files ?? 0;
    this.#counters.bytes += counts.bytes ?? 0;
    this.#counters.cachedFiles += counts.cachedFiles ?? 0;
    this.#schedule();
  }

  /** Sends what is left. Call it before the step ends: afterwards nothing may be reported any more. */
  async finish(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#send();
    await this.stop();
  }

  /** Sends nothing more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#sending;
  }

  #schedule(): void {
    this.#changed = true;
    if (!this.#stopped) this.#timer ??= setTimeout(() => this.#send(), INTERVAL_MS);
  }

  #send(): void {
    this.#timer = null;
    if (!this.#changed || this.#stopped) return;
    this.#changed = false;
    const counters = { ...this.#counters };
    this.#sending = this.#sending
      .then(() => reportProgress(this.#database, this.#lease, counters))
      .catch((error: unknown) => {
        if (error instanceof LeaseLostError) this.#onLost();
      });
  }
}
