import { type ExecutionResult, GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { DomainError } from '../../domain/errors.ts';
import type { GraphQLContext } from './context.ts';

/**
 * A subscription may stay open for days. Who has opened it is asked for again from time to time; when the credentials are
 * no longer good, it ends with an error that says so.
 */
export function endWithCredentials(intervalMs: number): Plugin {
  return {
    onSubscribe: ({ args }) => {
      const { principal, checkCredentials } = args.contextValue as unknown as GraphQLContext;
      if (!checkCredentials || principal.name === null) return;
      return {
        onSubscribeResult({ result, setResult }) {
          if (!(Symbol.asyncIterator in result)) return;
          setResult(new CheckedResults(result as Results, checkCredentials, intervalMs));
        },
      };
    },
  };
}

type Results = AsyncIterableIterator<ExecutionResult>;

class CheckedResults implements Results {
  readonly #results: Results;
  readonly #check: () => Promise<unknown>;
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout | undefined;
  #lost: GraphQLError | null = null;
  #isOver = false;
  /** Ends the waiting for the next result. Not a race of promises: one that lives long would keep all it ever raced. */
  #interrupt: (() => void) | null = null;

  constructor(results: Results, check: () => Promise<unknown>, intervalMs: number) {
    this.#results = results;
    this.#check = check;
    this.#intervalMs = intervalMs;
    // Those that were opened together are not checked together.
    this.#schedule(intervalMs * (0.5 + Math.random() / 2));
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<ExecutionResult>> {
    if (this.#isOver) return { done: true, value: undefined };
    if (this.#lost === null) {
      const item = await this.#nextOrLost();
      if (item !== null) {
        if (item.done) this.#end();
        return item;
      }
    }
    this.#end();
    // What is not shown any more need not have ended.
    this.#results.return?.().catch(() => undefined);
    return { done: false, value: { errors: [this.#lost!] } };
  }

  async return(): Promise<IteratorResult<ExecutionResult>> {
    this.#end();
    this.#interrupt?.();
    await this.#results.return?.();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<ExecutionResult>> {
    await this.return();
    throw error;
  }

  /** null: the credentials are lost. */
  #nextOrLost(): Promise<IteratorResult<ExecutionResult> | null> {
    return new Promise((resolve, reject) => {
      this.#interrupt = () => resolve(this.#lost === null ? { done: true, value: undefined } : null);
      this.#results.next().then(resolve, reject);
    });
  }

  #end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #schedule(milliseconds: number): void {
    this.#timer = setTimeout(() => void this.#look(), milliseconds).unref();
  }

  async #look(): Promise<void> {
    try {
      await this.#check();
    } catch (error) {
      // A database that is away for a moment says nothing about the credentials.
      if (error instanceof DomainError && error.code === 'unauthenticated') this.#lose(error);
    }
    if (!this.#isOver && this.#lost === null) this.#schedule(this.#intervalMs);
  }

  #lose({ message, code, hint, details }: DomainError): void {
    this.#lost = new GraphQLError(message, { extensions: { code, hint, details } });
    this.#interrupt?.();
  }
}
