/**
 * An async iterable whose `return()` ends the source at once, even while it waits for its next item: a generator alone
 * would go on waiting, and keep its resources, until something happens. What the source refuses is refused before there
 * is a stream.
 */
export async function abortable<T>(
  source: (signal: AbortSignal) => Promise<AsyncGenerator<T>>,
): Promise<AsyncIterableIterator<T>> {
  const ending = new AbortController();
  const items = await source(ending.signal);
  const stream: AsyncIterableIterator<T> = {
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
    [Symbol.asyncIterator]: () => stream,
  };
  return stream;
}
