import type { Settings } from '../../domain/config.ts';
import type { Database } from '../../domain/database/database.ts';
import type { EventHub } from '../../domain/events/event-hub.ts';
import type { Principal } from '../../domain/identity/principal.ts';
import type { BlobStore } from '../../domain/storage/blob-store.ts';
import type { Loaders } from './loaders.ts';

/** What resolvers of one operation work with. */
export interface GraphQLContext {
  settings: Settings;
  database: Database;
  blobs: BlobStore;
  hub: EventHub;
  principal: Principal;
  /** Base of absolute links, without a slash at its end. */
  baseUrl: string;
  loaders: Loaders;
}
