interface Waiting<K, V> {
  key: K;
  resolve(value: V): void;
  reject(error: unknown): void;
}

/**
 * Gathers what is asked for in one turn of the event loop into one call: thousands of keys are looked up by one statement
 * although each file goes its own way.
 */
export class Batch<K, V> {
  readonly #run: (keys: K[]) => Promise<V[]>;
  readonly #size: number;
  #waiting: Waiting<K, V>[] = [];

  /** `run` gives the values in the order of the keys. */
  constructor(size: number, run: (keys: K[]) => Promise<V[]>) {
    this.#size = size;
    this.#run = run;
  }

  load(key: K): Promise<V> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, resolve, reject });
      if (this.#waiting.length === 1) setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let start = 0; start < waiting.length; start += this.#size) {
      const part = waiting.slice(start, start + this.#size);
      this.#run(part.map((one) => one.key)).then(
        (values) => {
          for (const [index, one] of part.entries()) one.resolve(values[index]!);
        },
        (error: unknown) => {
          for (const one of part) one.reject(error);
        },
      );
    }
  }
}
