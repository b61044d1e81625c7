import type { Settings } from '../domain/config.ts';
import type { Database } from '../domain/database/database.ts';

/** The database of a command that works on it directly, beside servers that may be running. */
export async function withDatabase<T>(
  settings: Settings,
  applicationName: string,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const [{ acquireDatabase }, { openDatabase }] = await Promise.all([
    import('./acquire-database.ts'),
    import('../domain/database/database.ts'),
  ]);
  const acquired = await acquireDatabase(settings, { deadlineMs: 0 });
  try {
    const database = await openDatabase({ url: acquired.url, connections: 2, applicationName });
    try {
      return await work(database);
    } finally {
      await database.close();
    }
  } finally {
    await acquired.release();
  }
}
