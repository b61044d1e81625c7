import type { FastifyInstance } from 'fastify';
import type { Settings } from '../domain/config.ts';
import { TooManyRequestsError } from '../domain/errors.ts';
import { networkOf } from '../domain/identity/login-attempts.ts';
import { TokenBuckets } from '../domain/token-buckets.ts';
import { isBkrepoUrl } from './rest/bkrepo/register-bkrepo.ts';

const SECONDS = 60;

/**
 * How much one client address may ask for in a minute, where the clients of an interface know what to do with a 429: GraphQL,
 * the registry and bk-repo's APIs. Cachito's clients know none, and Fandogh's ask again and again for what is new.
 */
export class RequestRate {
  readonly #buckets: TokenBuckets | null;

  constructor({ requestRate }: Pick<Settings, 'requestRate'>) {
    this.#buckets = requestRate === null ? null : new TokenBuckets({ size: requestRate, seconds: SECONDS });
  }

  /** For all of them but the registry. Call it on the root, before routes are added: it comes before anybody is authenticated. */
  register(app: FastifyInstance): void {
    if (this.#buckets === null) return;
    app.addHook('onRequest', (request, _reply, done) => {
      if (!isCounted(request.url)) return done();
      try {
        this.take(request.ip);
        done();
      } catch (error) {
        done(error as Error);
      }
    });
  }

  /** Throws TooManyRequestsError. */
  take(address: string | undefined): void {
    const retryAfterSeconds = this.#buckets?.take(networkOf(address ?? '')) ?? 0;
    if (retryAfterSeconds === 0) return;
    throw new TooManyRequestsError('Too many requests from this address; try again later', {
      details: { retryAfterSeconds },
    });
  }
}

function isCounted(url: string): boolean {
  return /^\/graphql(?:[/?]|$)/.test(url) || isBkrepoUrl(url);
}
