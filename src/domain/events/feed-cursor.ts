import { InvalidInputError } from '../errors.ts';
import type { FeedCursor } from './event.ts';

/** Throws InvalidInputError; null: from now on. */
export function requireFeedCursor(after: FeedCursor | null): void {
  if (after !== null && !/^\d{1,19}\.\d{1,18}$/.test(after)) {
    throw new InvalidInputError(`"${after.slice(0, 60)}" is not a cursor of the feed`);
  }
}
