import type { FastifyRequest } from 'fastify';
import type { Authenticator } from '../../domain/identity/authenticate.ts';
import type { Principal } from '../../domain/identity/principal.ts';

/** Who sends a request; found out once for each. Throws UnauthenticatedError for wrong credentials. */
export class Principals {
  readonly #authenticator: Authenticator;
  readonly #known = new WeakMap<FastifyRequest, Promise<Principal>>();

  constructor(authenticator: Authenticator) {
    this.#authenticator = authenticator;
  }

  of(request: FastifyRequest): Promise<Principal> {
    let principal = this.#known.get(request);
    if (!principal) {
      principal = this.#authenticator.authenticate(request.headers.authorization);
      this.#known.set(request, principal);
    }
    return principal;
  }
}
