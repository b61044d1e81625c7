import type DataLoader from 'dataloader';
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
import type { Registry } from '../../domain/registry/registry.ts';
import type { Digest } from '../../domain/storage/blob-store.ts';
import { batched, byId, grouped } from './batched.ts';
import { createImageLoaders, type ImageLoaders } from './images/loaders.ts';
import { createRegistryLoaders, type RegistryLoaders } from './registry/loaders.ts';

/** Reads of one operation, put together into one statement for all rows of a list. */
export interface Loaders {
  request: DataLoader<number, BundleRequest | null>;
  steps: DataLoader<number, BundleRequestStep[]>;
  history: DataLoader<number, StateHistoryEntry[]>;
  bundle: DataLoader<Digest, BundleRow | null>;
  user: DataLoader<number, User | null>;
  project: DataLoader<number, Project | null>;
  registry: RegistryLoaders;
  images: ImageLoaders;
}

export function createLoaders(database: Database, principal: Principal, registry: Registry): Loaders {
  const { sql } = database;
  return {
    request: byId(async (ids) => {
      requireScope(principal, 'read');
      return await findVisibleRequests(sql, principal, ids);
    }),
    steps: grouped(
      (ids) => findStepsOf(sql, ids),
      (step) => step.requestId,
    ),
    history: grouped(
      (ids) => readHistory(sql, ids),
      (entry) => entry.requestId,
    ),
    bundle: batched((digests) => Promise.all(digests.map((digest) => findBundle(sql, digest)))),
    user: byId((ids) => database.em().find(User, { id: { $in: [...ids] } })),
    project: byId((ids) => database.em().find(Project, { id: { $in: [...ids] } })),
    registry: createRegistryLoaders(registry, principal),
    images: createImageLoaders(database, principal),
  };
}
