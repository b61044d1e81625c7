/**
 * The result of some work, kept for a while: many callers at once cause one piece of work, and while it has not come back
 * no second one is started. A failure is not kept.
 */
export class KeptResult<T> {
  readonly #work: () => Promise<T>;
  readonly #keepMs: number;
  #running: Promise<T> | null = null;
  #kept: { value: T; until: number } | null = null;

  constructor(work: () => Promise<T>, keepMs: number) {
    this.#work = work;
    this.#keepMs = keepMs;
  }

  async get(): Promise<T> {
    if (this.#kept && performance.now() < this.#kept.until) return this.#kept.value;
    this.#running ??= this.#run();
    return await this.#running;
  }

  async #run(): Promise<T> {
    try {
      const value = await this.#work();
      this.#kept = { value, until: performance.now() + this.#keepMs };
      return value;
    } finally {
      this.#running = null;
    }
  }
}

/** Rejects when the promise takes longer; the work behind it goes on. */
export async function withTimeout<T>(promise: Promise<T>, milliseconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
