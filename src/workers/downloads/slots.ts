/** Who waits, so that one request with thousands of files does not hold up the others. */
export interface SlotRequest {
  host: string;
  /** Lower goes first. */
  priority: number;
  /** Owners of the same priority take turns. */
  owner: object;
}

interface Waiting {
  /** Aborted while it waited; passed over when its turn comes. */
  gone: boolean;
  start(): void;
}

interface Lane extends SlotRequest {
  queue: Waiting[];
  /** Index of the first that waits; the queue is emptied in one go. */
  head: number;
}

/** A global and a per-host limit on what runs at a time, with priorities, in turns between owners. */
export class Slots {
  readonly #limit: number;
  readonly #perHost: number;
  #lanes: Lane[] = [];
  #running = 0;
  readonly #runningOn = new Map<string, number>();
  readonly #heldUntil = new Map<string, number>();

  constructor(limit: number, perHost: number) {
    this.#limit = limit;
    this.#perHost = perHost;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.queue.length - lane.head, 0);
  }

  /** Runs the work when there is room; an abort while it waits rejects at once. */
  run<T>(request: SlotRequest, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise<T>((resolve, reject) => {
      const lane = this.#laneOf(request);
      const onAbort = (): void => {
        waiting.gone = true;
        reject(signal.reason);
        this.#fill();
      };
      const waiting: Waiting = {
        gone: false,
        start: () => {
          signal.removeEventListener('abort', onAbort);
          this.#count(request.host, 1);
          work()
            .then(resolve, reject)
            .finally(() => {
              this.#count(request.host, -1);
              this.#fill();
            });
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      lane.queue.push(waiting);
      this.#fill();
    });
  }

  /** Starts nothing more on a host for so long: it asked for that. */
  hold(host: string, ms: number): void {
    const until = Date.now() + ms;
    if (until <= (this.#heldUntil.get(host) ?? 0)) return;
    this.#heldUntil.set(host, until);
    setTimeout(() => {
      if (this.#heldUntil.get(host) === until) this.#heldUntil.delete(host);
      this.#fill();
    }, ms).unref();
  }

  #fill(): void {
    for (const lane of this.#lanes) skipGone(lane);
    this.#lanes = this.#lanes.filter((lane) => lane.head < lane.queue.length);
    while (this.#running < this.#limit) {
      const lane = this.#next();
      if (!lane) return;
      lane.queue[lane.head++]!.start();
      skipGone(lane);
      this.#lanes = this.#lanes.filter((one) => one !== lane);
      if (lane.head < lane.queue.length) this.#lanes.push(lane);
    }
  }

  #next(): Lane | null {
    let best: Lane | null = null;
    for (const lane of this.#lanes) {
      if ((this.#runningOn.get(lane.host) ?? 0) >= this.#perHost || this.#heldUntil.has(lane.host)) continue;
      if (!best || lane.priority < best.priority) best = lane;
    }
    return best;
  }

  #laneOf({ host, priority, owner }: SlotRequest): Lane {
    const known = this.#lanes.find(
      (lane) => lane.host === host && lane.priority === priority && lane.owner === owner,
    );
    if (known) return known;
    const lane: Lane = { host, priority, owner, queue: [], head: 0 };
    this.#lanes.push(lane);
    return lane;
  }

  #count(host: string, change: 1 | -1): void {
    this.#running += change;
    const running = (this.#runningOn.get(host) ?? 0) + change;
    if (running > 0) this.#runningOn.set(host, running);
    else this.#runningOn.delete(host);
  }
}

function skipGone(lane: Lane): void {
  while (lane.queue[lane.head]?.gone) lane.head += 1;
}
