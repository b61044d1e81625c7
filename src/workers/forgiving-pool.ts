import type pg from 'pg';

/**
 * The same pool for the library of jobs, which may give back the connection on which it listens twice when the database goes
 * away while it begins to listen: the second time would end the process.
 */
export function forgivingPool(pool: pg.Pool): pg.Pool {
  return new Proxy(pool, {
    get(target, property) {
      if (property === 'connect') return connectOf(target);
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

type Connected = Parameters<pg.Pool['connect']>[0];

function connectOf(pool: pg.Pool): (callback?: Connected) => unknown {
  return (callback) => {
    if (!callback) return pool.connect();
    return pool.connect((error, client, done) => {
      let isDone = false;
      callback(error, client, (release) => {
        if (isDone) return;
        isDone = true;
        done(release);
      });
    });
  };
}
