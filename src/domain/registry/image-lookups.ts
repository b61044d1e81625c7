import type { Database } from '../database/database.ts';
import { type ImageAnswer, type ImageQuestion, resolveImages } from '../database/sql/resolve-images.ts';

/**
 * Every request asks the database, so that it sees whatever was accepted before it, on any gateway. Requests that arrive
 * while others are being answered share the next statement, which is what makes that cheap: a statement never begins
 * before the last of its requests has come.
 */
export class ImageLookups {
  readonly #database: Database;
  #waiting = new Map<string, Waiting>();
  #isScheduled = false;
  #running = 0;

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
    const batch = [...this.#waiting.values()];
    this.#waiting = new Map();
    this.#running += 1;
    try {
      const answers = await resolveImages(
        this.#database,
        batch.map(({ question }) => question),
      );
      for (const [index, { resolve }] of batch.entries()) resolve(answers[index]!);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      this.#running -= 1;
      if (this.#waiting.size > 0) this.#schedule();
    }
  }
}

interface Waiting {
  question: ImageQuestion;
  promise: Promise<ImageAnswer>;
  resolve(answer: ImageAnswer): void;
  reject(error: unknown): void;
}

const MOST_STATEMENTS = 2;
