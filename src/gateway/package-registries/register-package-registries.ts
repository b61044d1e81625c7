import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Settings } from '../../domain/config.ts';
import type { Database } from '../../domain/database/database.ts';
import { NotFoundError } from '../../domain/errors.ts';
import { authenticateRegistry } from '../../domain/package-registries/authenticate.ts';
import {
  parseRegistryName,
  type RegistryKind,
  registryName,
} from '../../domain/package-registries/registry-address.ts';
import type { BlobStore } from '../../domain/storage/blob-store.ts';
import { baseUrlOf } from '../base-url.ts';
import { sendRepresentation } from '../downloads/send-representation.ts';
import { clientError } from '../http-errors.ts';
import { gemRegistry } from './gem-registry.ts';
import { goProxy } from './go-proxy.ts';
import { npmRegistry, yarnRegistry } from './npm-registry.ts';
import { pythonArchives, pythonIndex } from './python-index.ts';
import { nothingThere, type Registry, registryServices } from './registry-request.ts';

const REGISTRIES: Record<RegistryKind, Registry> = {
  npm: npmRegistry,
  yarn: yarnRegistry,
  'pip-hosted': pythonIndex,
  'pip-raw': pythonArchives,
  'rubygems-hosted': gemRegistry,
  gomod: goProxy,
};

const PREFIX = '/packages/';

/**
 * Read-only registries with the packages of one request each, `/packages/cachito-<kind>-<id>/…` (cachito.md 4.4). Nothing
 * is fetched from anywhere: they have what the bundle has.
 */
export function registerPackageRegistries(
  app: FastifyInstance,
  { settings, database, blobs }: { settings: Settings; database: Database; blobs: BlobStore },
): void {
  app.register(async (scope) => {
    const services = registryServices(database.sql, blobs);
    scope.setErrorHandler(answerError);
    // Before a body is read or looked at.
    scope.addHook('onRequest', async (request, reply) => {
      if (request.method === 'GET' || request.method === 'HEAD') return;
      await reply
        .code(405)
        .header('allow', 'GET, HEAD')
        .type('application/json; charset=utf-8')
        .send({ error: 'Packages of a request can only be read' });
    });
    scope.all(`${PREFIX}*`, async (request, reply) => {
      const { registry, path } = placeOf(request);
      const bundle = await authenticateRegistry(database.sql, registry, request.headers.authorization);
      if (bundle === null) throw nothingThere();
      const answer = await REGISTRIES[registry.kind]({
        services,
        bundle,
        url: `${baseUrlOf(settings, request)}${PREFIX}${registryName(registry.kind, registry.requestId)}/`,
        path,
        accept: request.headers.accept ?? '',
      });
      if ('redirect' in answer) return reply.redirect(answer.redirect, 301);
      reply.header('vary', 'accept');
      await sendRepresentation(request, reply, answer.representation);
      return reply;
    });
  });
}

/** `/packages/<registry>/<path>`; a scope's slash may be encoded. */
function placeOf(request: FastifyRequest): {
  registry: { kind: RegistryKind; requestId: number };
  path: string;
} {
  const [target = ''] = request.url.split('?', 1);
  const [, name = '', path = ''] = /^([^/]*)\/?(.*)$/s.exec(target.slice(PREFIX.length)) ?? [];
  const registry = parseRegistryName(name);
  if (registry === null) throw new NotFoundError('There is no such package registry');
  return { registry, path: decoded(path) };
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw nothingThere();
  }
}

/** As package managers show it: npm prints `error`. */
function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, told } = clientError(error, request);
  if (status === 401) reply.header('www-authenticate', 'Basic realm="Stowage packages", charset="UTF-8"');
  return reply
    .code(status)
    .header('cache-control', 'no-store')
    .type('application/json; charset=utf-8')
    .send({ error: told.message });
}
