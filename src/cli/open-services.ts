import type { Logger } from 'pino';
import { publishOwnKey } from '../domain/bundles/signing-keys.ts';
import type { Settings } from '../domain/config.ts';
import { type Database, openDatabase } from '../domain/database/database.ts';
import { EventHub } from '../domain/events/event-hub.ts';
import type { BlobStore } from '../domain/storage/blob-store.ts';
import { openBlobStore } from '../domain/storage/open-blob-store.ts';
import { acquireDatabase } from './acquire-database.ts';
import { watchSchema } from './watch-schema.ts';

/** What gateway and worker are made of. */
export interface Services {
  database: Database;
  blobs: BlobStore;
  hub: EventHub;
  close(): Promise<void>;
}

/** Waits for the database (with a deadline) and opens everything. */
export async function openServices(
  settings: Settings,
  applicationName: string,
  { logger, signal }: { logger: Logger; signal: AbortSignal },
): Promise<Services> {
  const blobs = await openBlobStore(settings);
  const acquired = await acquireDatabase(settings, {
    signal,
    onWait: ({ message, hint }) => logger.warn({ reason: message, hint }, 'waiting for the database'),
  });
  const database = await openDatabase({ url: acquired.url, applicationName });
  const hub = new EventHub(database);
  try {
    await publishOwnKey(database, settings);
    await hub.start();
  } catch (error) {
    await database.close();
    await acquired.release();
    throw error;
  }
  const closing = new AbortController();
  const watching = watchSchema({ database, hub, logger }, closing.signal).catch((err: unknown) =>
    logger.warn({ err }, 'cannot tell whether the database is newer than this process'),
  );
  return {
    database,
    blobs,
    hub,
    async close() {
      closing.abort();
      await hub.close();
      await watching;
      await database.close();
      await acquired.release();
    },
  };
}
