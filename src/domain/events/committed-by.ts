import type { FeedCursor } from './event.ts';

/** Whether an event of the feed was committed when a snapshot (`xmin:xmax:running,…`, pg_snapshot) was taken. */
export function committedBy(snapshot: string): (cursor: FeedCursor) => boolean {
  const [oldest = '0', next = '0', list = ''] = snapshot.split(':');
  const running = new Set(list.split(','));
  return (cursor) => {
    const transaction = cursor.split('.', 1)[0]!;
    if (BigInt(transaction) < BigInt(oldest)) return true;
    return BigInt(transaction) < BigInt(next) && !running.has(transaction);
  };
}
