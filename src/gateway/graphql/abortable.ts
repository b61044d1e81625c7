/**
 * An async iterable whose `return()` ends the source at once, even while it waits for its next item: a generator alone
 * would go on waiting, and keep its resources, until something happens.
 */
export function abortable<T>(source: (signal: AbortSignal) => AsyncGenerator<T>): AsyncIterableIterator<T> {
  const ending = new AbortController();
  const items = source(ending.signal);
  return {
    next: () => items.next(),
    return: async () => {
      ending.abort();
      await items.return(undefined);
      return { done: true, value: undefined };
    },
    throw: async (error) => {
      ending.abort();
      await items.return(undefined);
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
