/** Keyset over ids, in the order of the list: behind `after` and before `before`, exclusive. */
export interface IdRange {
  after: number | null;
  before: number | null;
  limit: number;
  /** The page is counted from the list's end: rows come in reverse order. */
  inverted: boolean;
}

/** Condition, order and limit of a page by an id; the parameters are those of {@link idRangeParameters}, from `$n` on. */
export function idPage(
  column: string,
  n: number,
  { order, inverted }: { order: 'asc' | 'desc'; inverted: boolean },
): string {
  const [behind, before] = order === 'asc' ? ['>', '<'] : ['<', '>'];
  const direction = (order === 'asc') === inverted ? 'desc' : 'asc';
  return `($${n}::bigint is null or ${column} ${behind} $${n}) and ($${n + 1}::bigint is null or ${column} ${before} $${n + 1})
    order by ${column} ${direction} limit $${n + 2}`;
}

export function idRangeParameters({ after, before, limit }: IdRange): [number | null, number | null, number] {
  return [after, before, limit];
}
