import type { Settings } from '../../domain/config.ts';
import type { Database } from '../../domain/database/database.ts';
import type { EventHub } from '../../domain/events/event-hub.ts';
import type { Principal } from '../../domain/identity/principal.ts';
import type { RegistryPrincipal } from '../../domain/registry/access.ts';
import type { Registry } from '../../domain/registry/registry.ts';
import type { BlobStore } from '../../domain/storage/blob-store.ts';
import { createLoaders, type Loaders } from './loaders.ts';

/** What resolvers of one operation work with. */
export interface GraphQLContext extends ContextServices, OperationOrigin {
  loaders: Loaders;
}

/** What all operations of a process share. */
export interface ContextServices {
  settings: Settings;
  database: Database;
  blobs: BlobStore;
  hub: EventHub;
  registry: Registry;
}

/** What the HTTP server or the web socket knows of an operation before it is read. */
export interface OperationOrigin {
  principal: RegistryPrincipal;
  /** Base of absolute links, without a slash at its end. */
  baseUrl: string;
  /** Of the client. */
  address?: string | undefined;
  /** Part of this program, not sent by a client: limits on what may be asked for do not apply. */
  isStored?: boolean;
  /** Who asks, found out once more; throws UnauthenticatedError when the credentials are no longer good. */
  checkCredentials?: () => Promise<Principal>;
}

export function contextOf(services: ContextServices, origin: OperationOrigin): GraphQLContext {
  const { settings, database, blobs, hub, registry } = services;
  const { principal, baseUrl, address, isStored = false, checkCredentials } = origin;
  const loaders = createLoaders(database, principal, registry);
  return {
    settings,
    database,
    blobs,
    hub,
    registry,
    principal,
    baseUrl,
    address,
    isStored,
    loaders,
    ...(checkCredentials && { checkCredentials }),
  };
}
