import DataLoader from 'dataloader';
import type {
  BundleRequest,
  BundleRequestStep,
  StateHistoryEntry,
} from '../../domain/bundle-requests/bundle-request.ts';
import type { Database } from '../../domain/database/database.ts';
import { findStepsOf } from '../../domain/database/sql/bundle-request-rows.ts';
import { type BundleRow, findBundle } from '../../domain/database/sql/find-bundle.ts';
import { findVisibleRequests } from '../../domain/database/sql/list-requests.ts';
import { readHistory } from '../../domain/database/sql/request-details.ts';
import { type Principal, requireScope } from '../../domain/identity/principal.ts';
import { Project } from '../../domain/identity/project.ts';
import { User } from '../../domain/identity/user.ts';
import type { Digest } from '../../domain/storage/blob-store.ts';

/**
 * Reads of one operation, put together into one statement for all rows of a list. Nothing is cached: a subscription is
 * one operation for hours.
 */
export interface Loaders {
  request: DataLoader<number, BundleRequest | null>;
  steps: DataLoader<number, BundleRequestStep[]>;
  history: DataLoader<number, StateHistoryEntry[]>;
  bundle: DataLoader<Digest, BundleRow | null>;
  user: DataLoader<number, User | null>;
  project: DataLoader<number, Project | null>;
}

export function createLoaders(database: Database, principal: Principal): Loaders {
  const { sql } = database;
  return {
    request: byId(async (ids) => {
      requireScope(principal, 'read');
      return await findVisibleRequests(sql, principal, ids);
    }),
    steps: grouped((ids) => findStepsOf(sql, ids)),
    history: grouped((ids) => readHistory(sql, ids)),
    bundle: loader((digests) => Promise.all(digests.map((digest) => findBundle(sql, digest)))),
    user: byId((ids) => database.em().find(User, { id: { $in: [...ids] } })),
    project: byId((ids) => database.em().find(Project, { id: { $in: [...ids] } })),
  };
}

function loader<Key, Value>(load: (keys: readonly Key[]) => Promise<Value[]>): DataLoader<Key, Value> {
  return new DataLoader(load, { cache: false });
}

function byId<Row extends { id: number }>(
  find: (ids: readonly number[]) => Promise<Row[]>,
): DataLoader<number, Row | null> {
  return loader(async (ids) => {
    const rows = new Map((await find(ids)).map((row) => [row.id, row]));
    return ids.map((id) => rows.get(id) ?? null);
  });
}

function grouped<Row extends { requestId: number }>(
  find: (ids: readonly number[]) => Promise<Row[]>,
): DataLoader<number, Row[]> {
  return loader(async (ids) => {
    const rows = Map.groupBy(await find(ids), (row) => row.requestId);
    return ids.map((id) => rows.get(id) ?? []);
  });
}
