import type { Authenticator } from '../../domain/identity/authenticate.ts';
import type { RegistryPrincipal } from '../../domain/registry/access.ts';
import type { RegistryTokens } from '../../domain/registry/tokens.ts';

/** Who sends a request to `/v2`: tokens of the registry, else everything that the other endpoints take. */
export class OciCredentials {
  readonly #authenticator: Authenticator;
  readonly #tokens: RegistryTokens;

  constructor(authenticator: Authenticator, tokens: RegistryTokens) {
    this.#authenticator = authenticator;
    this.#tokens = tokens;
  }

  /** Throws UnauthenticatedError for wrong credentials. */
  async principalOf(authorization: string | undefined): Promise<RegistryPrincipal> {
    const bearer = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
    const principal = bearer === undefined ? null : await this.#tokens.verify(bearer);
    return principal ?? (await this.#authenticator.authenticate(authorization));
  }

  async withPassword(user: string, password: string): Promise<RegistryPrincipal> {
    const pair = Buffer.from(`${user}:${password}`).toString('base64');
    return await this.#authenticator.authenticate(`Basic ${pair}`);
  }
}
