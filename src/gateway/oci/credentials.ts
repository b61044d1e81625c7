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

  /** Throws UnauthenticatedError for wrong credentials, TooManyRequestsError after too many of them. */
  async principalOf(authorization: string | undefined, address: string): Promise<RegistryPrincipal> {
    const token = tokenOf(authorization ?? '');
    const principal = token === null ? null : await this.#tokens.verify(token);
    return principal ?? (await this.#authenticator.authenticate(authorization, address));
  }

  async withPassword(user: string, password: string, address: string): Promise<RegistryPrincipal> {
    const pair = Buffer.from(`${user}:${password}`).toString('base64');
    return await this.principalOf(`Basic ${pair}`, address);
  }
}

/** What may be a token of the registry: clients that only know passwords, such as builders, send it as one. */
function tokenOf(authorization: string): string | null {
  const [, scheme = '', credentials = ''] = /^(bearer|basic) +(\S+)$/i.exec(authorization) ?? [];
  if (scheme.toLowerCase() === 'bearer') return credentials;
  if (scheme === '') return null;
  const pair = Buffer.from(credentials, 'base64').toString('utf8');
  return pair.slice(pair.indexOf(':') + 1);
}
