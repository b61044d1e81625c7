/** Ends a stream whose source broke. Without it, clients would see an ordinary end. */
export class BrokenStream {
  readonly reason: unknown;

  constructor(reason: unknown) {
    this.reason = reason;
  }
}

/**
 * An async iterable whose `return()` ends the source at once, even while it waits for its next item: a generator alone
 * would go on waiting, and keep its resources, until something happens. What the source refuses is refused before there
 * is a stream.
 */
export async function abortable<T>(
  source: (signal: AbortSignal) => Promise<AsyncGenerator<T>>,
): Promise<AsyncIterableIterator<T | BrokenStream>> {
  const ending = new AbortController();
  const items = await source(ending.signal);
  const stream: AsyncIterableIterator<T | BrokenStream> = {
    next: () =>
      items.next().catch((error: unknown) => ({ done: false as const, value: new BrokenStream(error) })),
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

/** For `resolve`: the item, or the error that broke the stream. */
export function unbroken<T>(item: T | BrokenStream): T {
  if (item instanceof BrokenStream) throw item.reason;
  return item;
}
