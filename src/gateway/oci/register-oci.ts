import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Settings } from '../../domain/config.ts';
import type { Authenticator } from '../../domain/identity/authenticate.ts';
import { reaches } from '../../domain/registry/access.ts';
import { RegistryError } from '../../domain/registry/errors.ts';
import type { Registry } from '../../domain/registry/registry.ts';
import { RegistryTokens } from '../../domain/registry/tokens.ts';
import { refuseForeignPage } from '../auth/foreign-page.ts';
import { baseUrlOf } from '../base-url.ts';
import type { RequestRate } from '../request-rate.ts';
import { dropBlob, readBlob } from './blobs.ts';
import { OciCredentials } from './credentials.ts';
import { readCatalog, readReferrers, readTags } from './lists.ts';
import { dropManifest, readManifest, writeManifest } from './manifests.ts';
import { answerOciError } from './oci-errors.ts';
import { OciExchange } from './oci-exchange.ts';
import { type OciResource, parseOciPath } from './oci-path.ts';
import { TokenEndpoint } from './token-endpoint.ts';
import { beginUpload, continueUpload, dropUpload, endUpload, readUpload } from './uploads.ts';

type Operation = (exchange: OciExchange, name: string, id: string) => Promise<void>;

/** Every call of oci-registry.md 3, by what its path is about. */
const OPERATIONS: Record<Exclude<OciResource['kind'], 'token'>, Record<string, Operation>> = {
  root: { GET: greet, HEAD: greet },
  catalog: { GET: readCatalog, HEAD: readCatalog },
  blob: { GET: readBlob, HEAD: readBlob, DELETE: dropBlob },
  uploads: { POST: beginUpload },
  upload: { GET: readUpload, PATCH: continueUpload, PUT: endUpload, DELETE: dropUpload },
  manifest: { GET: readManifest, HEAD: readManifest, PUT: writeManifest, DELETE: dropManifest },
  tags: { GET: readTags, HEAD: readTags },
  referrers: { GET: readReferrers, HEAD: readReferrers },
};

/** `/docker/v2` is where bk-repo has it. */
const PREFIXES = ['', '/docker'];

export function isOciUrl(url: string): boolean {
  return PREFIXES.some((prefix) => url.startsWith(`${prefix}/v2/`));
}

export interface OciServices {
  settings: Settings;
  registry: Registry;
  authenticator: Authenticator;
  rate: RequestRate;
}

/** The OCI distribution API. Its own router: names have slashes, and bodies are streams that nobody parses. */
export function registerOci(
  app: FastifyInstance,
  { settings, registry, authenticator, rate }: OciServices,
): void {
  const tokens = new RegistryTokens(registry.database);
  const credentials = new OciCredentials(authenticator, tokens);
  const tokenEndpoint = new TokenEndpoint(registry, tokens, credentials);

  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _body, done) => done(null));
    for (const prefix of PREFIXES) {
      const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
        try {
          rate.take(request.ip);
          await answer(prefix, request, reply);
        } catch (error) {
          answerOciError(error, request, reply, realmOf(settings, request, prefix));
        }
        return reply;
      };
      scope.all(`${prefix}/v2`, handler);
      scope.all(`${prefix}/v2/*`, handler);
    }
  });

  async function answer(prefix: string, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const arrivedAt = performance.now();
    const url = request.raw.url!;
    const question = url.indexOf('?');
    const path = (question < 0 ? url : url.slice(0, question)).slice(`${prefix}/v2`.length);
    const query = new URLSearchParams(question < 0 ? '' : url.slice(question + 1));
    const resource = parseOciPath(path);
    if (!resource) throw new RegistryError('name-unknown', 'there is nothing at this path');
    if (resource.kind === 'token') {
      requireMethod(request.method, ['GET', 'POST']);
      return await tokenEndpoint.answer(request, reply, query);
    }
    const operations = OPERATIONS[resource.kind];
    requireMethod(request.method, Object.keys(operations));
    const { authorization } = request.headers;
    if (/^basic\s/i.test(authorization ?? '')) refuseForeignPage(settings, request.raw, request);
    const principal = await credentials.principalOf(authorization, request.ip);
    const exchange = new OciExchange({ request, reply, registry, principal, prefix, query, arrivedAt });
    const { name = '', id = '' } = resource as { name?: string; id?: string };
    await operations[request.method]!(exchange, name, id);
  }
}

/**
 * Says that this is a registry, and whether credentials are good (oci-registry.md 2). Without any the answer is always the
 * challenge: it is here that clients learn where tokens are to be had, also those for anybody.
 */
async function greet(exchange: OciExchange): Promise<void> {
  const { principal, registry } = exchange;
  const isOpen = principal.grants !== undefined && reaches(registry.settings.registryAnonymous, 'pull');
  if (principal.name === null && !isOpen) {
    throw new RegistryError('registry-unauthorized', 'authentication required');
  }
  exchange.sendJson(200, {});
}

function requireMethod(method: string, allowed: readonly string[]): void {
  if (allowed.includes(method)) return;
  throw new RegistryError('unsupported-operation', `${method} is not possible here`, {
    details: { allow: allowed.join(', ') },
  });
}

/** Where tokens are to be had, as the client sees us. */
function realmOf(settings: Settings, request: FastifyRequest, prefix: string): string {
  return `${baseUrlOf(settings, request).replaceAll(/["\\\s]/g, '')}${prefix}/v2/auth`;
}
