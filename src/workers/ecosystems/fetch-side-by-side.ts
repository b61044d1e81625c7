import type { LimitFunction } from 'p-limit';
import type { ResolveContext } from './ecosystem.ts';

/**
 * Fetches each item, as many at a time as its limit allows. Of several failures the first in the order of the items is
 * thrown, as if one had been fetched after the other; what comes after a failure is not started any more.
 */
export async function fetchSideBySide<Item>(
  { signal, progress }: Pick<ResolveContext, 'signal' | 'progress'>,
  items: readonly Item[],
  limitOf: (item: Item) => LimitFunction,
  fetch: (item: Item) => Promise<void>,
): Promise<void> {
  let failure: { index: number; error: unknown } | null = null;
  await Promise.all(
    items.map((item, index) =>
      limitOf(item)(async () => {
        if (signal.aborted || (failure && failure.index < index)) return;
        try {
          await fetch(item);
          progress.add({ packages: 1 });
        } catch (error) {
          if (!failure || failure.index > index) failure = { index, error };
        }
      }),
    ),
  );
  signal.throwIfAborted();
  if (failure) throw (failure as { error: unknown }).error;
}
