import type pg from 'pg';

/**
 * A transaction whose BEGIN fails on a lost connection never gives it back to the pool (Kysely's controlled
 * transactions): after a few restarts of the database the pool would be empty for ever. Here connections that end while
 * somebody holds them are given back for them.
 */
export function releaseLostConnections(pool: pg.Pool): void {
  const held = new Map<pg.PoolClient, () => void>();
  pool.on('acquire', (client) => {
    const giveBack = (): void => {
      held.delete(client);
      client.release(true);
      // Whoever holds it may still do what is usual.
      client.release = () => undefined;
    };
    held.set(client, giveBack);
    client.once('end', giveBack);
  });
  pool.on('release', (_error, client) => {
    const giveBack = held.get(client);
    if (giveBack) client.off('end', giveBack);
    held.delete(client);
  });
}
