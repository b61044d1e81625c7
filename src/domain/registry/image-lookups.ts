import type { Database } from '../database/database.ts';
import {
  currentSnapshot,
  type ImageAnswer,
  type ImageQuestion,
  type ResolvedImage,
  resolveImages,
} from '../database/sql/resolve-images.ts';

/**
 * Every request asks the database, so that it sees whatever was accepted before it, on any gateway. Requests that arrive
 * while others are being answered share the next statement, which is what makes that cheap: a statement never begins
 * before the last of its requests has come. Answers are kept; before one is given again the database says that nothing at
 * all has been committed since it was made.
 */
export class ImageLookups {
  readonly #database: Database;
  #waiting = new Map<string, Waiting>();
  #isScheduled = false;
  #running = 0;
  /** Statements until it is worth asking whether kept answers hold: while many write, they never do. */
  #unasked = 0;
  #missed = 0;
  /** The first was made first. */
  readonly #kept = new Map<string, KeptAnswer>();

  constructor(database: Database) {
    this.#database = database;
  }

  find(question: ImageQuestion): Promise<ImageAnswer> {
    const key = JSON.stringify(Object.values(question));
    let waiting = this.#waiting.get(key);
    if (!waiting) {
      waiting = { question, ...Promise.withResolvers<ImageAnswer>() };
      this.#waiting.set(key, waiting);
      this.#schedule();
    }
    return waiting.promise;
  }

  /** At the end of the turn: what came in with one poll of the sockets goes together. */
  #schedule(): void {
    if (this.#isScheduled || this.#running >= MOST_STATEMENTS) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    const batch = [...this.#waiting];
    this.#waiting = new Map();
    this.#running += 1;
    try {
      await this.#answer(await this.#withoutKept(batch));
    } catch (error) {
      for (const [, { reject }] of batch) reject(error);
    } finally {
      this.#running -= 1;
      if (this.#waiting.size > 0) this.#schedule();
    }
  }

  /** Answers what is kept and still holds; returns the others. */
  async #withoutKept(batch: [string, Waiting][]): Promise<[string, Waiting][]> {
    const oldest = performance.now() - KEPT_MS;
    const kept = batch.map(([key]) => this.#kept.get(key));
    if (!kept.some((one) => one && one.at > oldest)) return batch;
    if (this.#unasked > 0) {
      this.#unasked -= 1;
      return batch;
    }
    const snapshot = await currentSnapshot(this.#database);
    const isSame = kept.some((one) => one?.snapshot === snapshot);
    this.#missed = isSame ? 0 : Math.min(this.#missed + 1, MOST_UNASKED);
    // The first change says nothing yet of the next.
    this.#unasked = Math.max(0, this.#missed - 1);
    return batch.filter(([, { resolve }], index) => {
      const one = kept[index];
      if (!one || one.at <= oldest || one.snapshot !== snapshot) return true;
      resolve(one.answer);
      return false;
    });
  }

  async #answer(batch: [string, Waiting][]): Promise<void> {
    if (batch.length === 0) return;
    const at = performance.now();
    const questions = batch.map(([, { question }]) => question);
    const resolved = await resolveImages(this.#database, questions);
    for (const [index, [key, { resolve }]] of batch.entries()) {
      this.#keep(key, { ...resolved[index]!, at });
      resolve(resolved[index]!.answer);
    }
  }

  #keep(key: string, kept: KeptAnswer): void {
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MOST_KEPT) return;
      this.#kept.delete(oldest);
    }
  }
}

interface KeptAnswer extends ResolvedImage {
  at: number;
}

interface Waiting {
  question: ImageQuestion;
  promise: Promise<ImageAnswer>;
  resolve(answer: ImageAnswer): void;
  reject(error: unknown): void;
}

const MOST_STATEMENTS = 2;
/** Of one after the other. */
const MOST_UNASKED = 8;
const MOST_KEPT = 10_000;
/** Some of an answer depends on the time: whether a token is valid, how long ago somebody touched a blob. */
const KEPT_MS = 1_000;
