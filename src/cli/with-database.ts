import { readSettings, type Settings } from '../domain/config.ts';
import type { Database } from '../domain/database/database.ts';

/** For commands that work on the database themselves, without a server: it is there while the work lasts. */
export async function withDatabase<T>(
  applicationName: string,
  work: (database: Database, settings: Settings) => Promise<T>,
): Promise<T> {
  const settings = readSettings();
  const [{ acquireDatabase }, { openDatabase }] = await Promise.all([
    import('./acquire-database.ts'),
    import('../domain/database/database.ts'),
  ]);
  const acquired = await acquireDatabase(settings, { deadlineMs: 0 });
  try {
    const database = await openDatabase({ url: acquired.url, connections: 2, applicationName });
    try {
      return await work(database, settings);
    } finally {
      await database.close();
    }
  } finally {
    await acquired.release();
  }
}
