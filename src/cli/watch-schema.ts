import type { Logger } from 'pino';
import type { Database } from '../domain/database/database.ts';
import { MIGRATIONS_TOPIC } from '../domain/database/migrate.ts';
import { newerMigrations } from '../domain/database/pending-migrations.ts';
import type { EventHub } from '../domain/events/event-hub.ts';

/**
 * Says when the database was brought up to date by a later release than this process is of. It goes on: migrations leave
 * to the release before what it needs (docs/operations.md, Upgrades). Ends with the signal.
 */
export async function watchSchema(
  { database, hub, logger }: { database: Pick<Database, 'sql'>; hub: EventHub; logger: Logger },
  signal: AbortSignal,
): Promise<void> {
  const told = new Set<string>();
  const look = async (): Promise<string[][]> => {
    const newer = (await newerMigrations(database.sql)).filter((name) => !told.has(name));
    for (const name of newer) told.add(name);
    return newer.length > 0 ? [newer] : [];
  };
  for await (const migrations of hub.follow(MIGRATIONS_TOPIC, signal, look)) {
    logger.warn({ migrations }, 'the database is newer than this process, which goes on: replace it soon');
  }
}
