/** Keyset over a text, by code point: between `after` and `before`, exclusive. */
export interface TextRange {
  after: string | null;
  before: string | null;
  /** The page is counted from the list's end: rows come in reverse order. */
  inverted: boolean;
  limit: number;
}

/** Condition, order and limit of a page by a column; the parameters are those of {@link rangeParameters}, from `$n` on. */
export function inRange(column: string, n: number): string {
  return `($${n}::text is null or ${column} > $${n}) and ($${n + 1}::text is null or ${column} < $${n + 1})`;
}

export function ordered(column: string, { inverted }: { inverted: boolean }): string {
  return `order by ${column} ${inverted ? 'desc' : 'asc'}`;
}

export function rangeParameters({ after, before, limit }: TextRange): [string | null, string | null, number] {
  return [after, before, limit];
}
