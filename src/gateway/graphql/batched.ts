import DataLoader from 'dataloader';

/** Puts the reads of one turn together. Nothing is cached: a subscription is one operation for hours. */
export function batched<Key, Value>(
  load: (keys: readonly Key[]) => Promise<Value[]>,
): DataLoader<Key, Value> {
  return new DataLoader(load, { cache: false });
}

export function byId<Row extends { id: number }>(
  find: (ids: readonly number[]) => Promise<Row[]>,
): DataLoader<number, Row | null> {
  return batched(async (ids) => {
    const rows = new Map((await find(ids)).map((row) => [row.id, row]));
    return ids.map((id) => rows.get(id) ?? null);
  });
}

/** All rows that belong to an id. */
export function grouped<Row>(
  find: (ids: readonly number[]) => Promise<Row[]>,
  ownerOf: (row: Row) => number,
): DataLoader<number, Row[]> {
  return batched(async (ids) => {
    const rows = Map.groupBy(await find(ids), ownerOf);
    return ids.map((id) => rows.get(id) ?? []);
  });
}
