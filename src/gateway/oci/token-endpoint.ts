import type { FastifyReply, FastifyRequest } from 'fastify';
import { audited } from '../../domain/audit/audit-log.ts';
import { UnauthenticatedError } from '../../domain/errors.ts';
import type { Grant, RegistryPrincipal } from '../../domain/registry/access.ts';
import { RegistryError } from '../../domain/registry/errors.ts';
import { grantScopes } from '../../domain/registry/grants.ts';
import type { Registry } from '../../domain/registry/registry.ts';
import { type RegistryTokens, TOKEN_SECONDS } from '../../domain/registry/tokens.ts';
import type { OciCredentials } from './credentials.ts';
import { sendOci } from './oci-exchange.ts';

/** The realm of the challenges (oci-registry.md 2): gives tokens to docker clients, for a password or another token. */
export class TokenEndpoint {
  readonly #registry: Registry;
  readonly #tokens: RegistryTokens;
  readonly #credentials: OciCredentials;

  constructor(registry: Registry, tokens: RegistryTokens, credentials: OciCredentials) {
    this.#registry = registry;
    this.#tokens = tokens;
    this.#credentials = credentials;
  }

  async answer(request: FastifyRequest, reply: FastifyReply, query: URLSearchParams): Promise<void> {
    try {
      const asked =
        request.method === 'POST' ? await this.#askedInForm(request) : await this.#asked(request, query);
      sendToken(reply, await this.#give(asked));
    } catch (error) {
      if (!(error instanceof UnauthenticatedError)) throw error;
      sendUnauthorized(reply, error.message);
    }
  }

  async #give({ principal, scopes, wantsRefresh, refreshToken, address }: Asked): Promise<object> {
    const { granted, isComplete } = await grantScopes(this.#registry, principal, scopes);
    if (principal.name === null && !isComplete) throw new UnauthenticatedError('authentication required');
    const { token, issuedAt } = await this.#tokens.issue(principal, granted);
    const refresh = refreshToken ?? (wantsRefresh ? await this.#issueRefreshToken(principal, address) : null);
    return {
      token,
      access_token: token,
      scope: granted.map(textOf).join(' '),
      expires_in: TOKEN_SECONDS,
      issued_at: issuedAt.toISOString().replace('.000', ''),
      ...(refresh !== null && { refresh_token: refresh }),
    };
  }

  async #issueRefreshToken(principal: RegistryPrincipal, address: string): Promise<string | null> {
    const action = { action: 'createRefreshToken', details: {}, address };
    return await audited(this.#registry.database, principal, action, () =>
      this.#tokens.issueRefreshToken(principal),
    );
  }

  async #asked(request: FastifyRequest, query: URLSearchParams): Promise<Asked> {
    return {
      principal: await this.#credentials.principalOf(request.headers.authorization, request.ip),
      scopes: query.getAll('scope'),
      wantsRefresh: query.get('offline_token') === 'true',
      refreshToken: null,
      address: request.ip,
    };
  }

  /** The form of OAuth2, which newer clients try first. */
  async #askedInForm(request: FastifyRequest): Promise<Asked> {
    const form = new URLSearchParams(await readForm(request));
    const scopes = form.getAll('scope');
    const wantsRefresh = form.get('access_type') === 'offline';
    const address = request.ip;
    switch (form.get('grant_type')) {
      case 'password': {
        const principal = await this.#credentials.withPassword(
          form.get('username') ?? '',
          form.get('password') ?? '',
          address,
        );
        return { principal, scopes, wantsRefresh, refreshToken: null, address };
      }
      case 'refresh_token': {
        const refreshToken = form.get('refresh_token') ?? '';
        const principal = await this.#tokens.refresh(refreshToken);
        return { principal, scopes, wantsRefresh, refreshToken, address };
      }
      default:
        throw new RegistryError('grant-type-invalid', 'grant_type must be password or refresh_token');
    }
  }
}

interface Asked {
  principal: RegistryPrincipal;
  scopes: string[];
  wantsRefresh: boolean;
  /** The one that it was asked with, which stays good. */
  refreshToken: string | null;
  /** Of the client. */
  address: string;
}

const MOST_FORM_BYTES = 64 * 1024;

async function readForm(request: FastifyRequest): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request.raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > MOST_FORM_BYTES) throw new RegistryError('form-too-large', 'the form is too large');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function textOf({ type, name, actions }: Grant): string {
  return `${type}:${name}:${actions.join(',')}`;
}

function sendToken(reply: FastifyReply, answer: object): void {
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  sendOci(reply, 200, headers, Buffer.from(JSON.stringify(answer)));
}

function sendUnauthorized(reply: FastifyReply, message: string): void {
  const headers = {
    'content-type': 'application/json',
    'www-authenticate': 'Basic realm="Stowage", charset="UTF-8"',
  };
  const error = { code: 'UNAUTHORIZED', message, detail: {} };
  sendOci(reply, 401, headers, Buffer.from(JSON.stringify({ errors: [error] })));
}
