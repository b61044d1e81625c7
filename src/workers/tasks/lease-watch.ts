import { LeaseLostError } from '../../domain/lease-lost.ts';
import type { WorkerContext } from '../worker-context.ts';

/** What is watched: work that a worker has taken, and must let go when it is not its own any more. */
interface WatchedLease {
  /** Is woken by every event of the subject. */
  topic: string;
  holds(): Promise<boolean>;
  /** When its time is over, in milliseconds since 1970. */
  endsAt: number;
}

/** Aborts its signal when the work is not ours any more, when the worker stops, and when the time is over. */
export class LeaseWatch {
  lost = false;
  timedOut = false;
  readonly signal: AbortSignal;
  readonly #worker: WorkerContext;
  readonly #lease: WatchedLease;
  readonly #abort = new AbortController();
  readonly #end = new AbortController();
  readonly #budget: NodeJS.Timeout;

  constructor(worker: WorkerContext, lease: WatchedLease) {
    this.#worker = worker;
    this.#lease = lease;
    this.signal = AbortSignal.any([this.#abort.signal, worker.shutdown]);
    this.#budget = setTimeout(
      () => {
        this.timedOut = true;
        this.#abort.abort(new Error('its time is over'));
      },
      Math.min(Math.max(lease.endsAt - Date.now(), 0), 2 ** 31 - 1),
    );
    void this.#follow();
  }

  async check(): Promise<void> {
    if (await this.#lease.holds()) return;
    this.lost = true;
    this.#abort.abort(new LeaseLostError(`${this.#lease.topic} is not ours any more`));
  }

  stop(): void {
    clearTimeout(this.#budget);
    this.#end.abort();
  }

  /** Every event of the subject, and the hub's slow poll, is a reason to look. */
  async #follow(): Promise<void> {
    const look = async (): Promise<never[]> => {
      await this.check().catch(() => undefined);
      return [];
    };
    for await (const _ of this.#worker.hub.follow(this.#lease.topic, this.#end.signal, look)) {
      // Nothing is yielded: looking is all there is to do.
    }
  }
}
