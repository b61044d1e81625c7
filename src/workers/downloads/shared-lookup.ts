import type { LookupAddress, LookupOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';

const KEPT_MS = 10_000;

interface Answer {
  error: NodeJS.ErrnoException | null;
  address: string | LookupAddress[];
  family: number | undefined;
}

/**
 * One question to the resolver for all connections to a host: dozens at once make some resolvers lose a few, and each
 * lost one waits for seconds. Answers are kept for a moment, failures are not.
 */
export function sharedLookup(lookup: LookupFunction): LookupFunction {
  const asked = new Map<string, Promise<Answer>>();
  const ask = (hostname: string, options: LookupOptions, key: string): Promise<Answer> =>
    new Promise((resolve) => {
      lookup(hostname, options, (error, address, family) => {
        if (error) asked.delete(key);
        else setTimeout(() => asked.delete(key), KEPT_MS).unref();
        resolve({ error, address, family });
      });
    });
  return (hostname, options, callback) => {
    const key = JSON.stringify([hostname, options.family, options.all, options.hints, options.order]);
    let answer = asked.get(key);
    if (!answer) {
      answer = ask(hostname, options, key);
      asked.set(key, answer);
    }
    answer.then(({ error, address, family }) => callback(error, address, family));
  };
}
