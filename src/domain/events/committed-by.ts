import type { FeedCursor } from './event.ts';

/**
 * Whether an event of the feed was committed when a snapshot (`xmin:xmax:running,…`, pg_snapshot) was taken. Cursors have
 * ids of transactions with an offset; see src/domain/database/continue-feed.ts.
 */
export function committedBy({
  snapshot,
  offset,
}: {
  snapshot: string;
  offset: string;
}): (cursor: FeedCursor) => boolean {
  const [oldest = '0', next = '0', list = ''] = snapshot.split(':');
  const running = new Set(list.split(','));
  return (cursor) => {
    const transaction = BigInt(cursor.split('.', 1)[0]!) - BigInt(offset);
    if (transaction < BigInt(oldest)) return true;
    return transaction < BigInt(next) && !running.has(`${transaction}`);
  };
}
