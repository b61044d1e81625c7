/**
 * Counters of this process since its start. They travel to the database with the heartbeat, where the gateways read them
 * for `/metrics`: a worker needs no port of its own.
 */
export class WorkerMetrics {
  readonly #counters = new Map<string, number>();
  readonly #sources: (() => Record<string, number>)[] = [];

  /** `name` as in Prometheus, labels included: `jobs_total{task="fetch-source",outcome="succeeded"}`. */
  add(name: string, value = 1): void {
    this.#counters.set(name, (this.#counters.get(name) ?? 0) + value);
  }

  /** Counters that somebody else keeps, looked at for each snapshot. */
  include(source: () => Record<string, number>): void {
    this.#sources.push(source);
  }

  snapshot(): Record<string, number> {
    return Object.assign(Object.fromEntries(this.#counters), ...this.#sources.map((read) => read()));
  }
}
