import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { UnauthenticatedError } from '../../../domain/errors.ts';
import { requireSubmitter, requireWorker } from '../../../domain/identity/cachito-roles.ts';
import { type Principal, PUBLIC_READER } from '../../../domain/identity/principal.ts';
import type { Registry } from '../../../domain/registry/registry.ts';
import { baseUrlOf } from '../../base-url.ts';
import type { OperationOrigin } from '../../graphql/context.ts';
import { runOperation } from '../../graphql/run-operation.ts';
import type { GatewayOptions } from '../../server.ts';
import { answerCachitoError, answerUnknownResource, MethodNotAllowedError } from './errors.ts';
import { registerRequestBody } from './request-body.ts';
import { type CachitoCall, type CachitoRoute, ID } from './route.ts';
import { ROUTES } from './routes/routes.ts';

export type CachitoServices = GatewayOptions & {
  registry: Registry;
  principalOf: (request: FastifyRequest) => Promise<Principal>;
};

export const CACHITO_PREFIX = '/api/v1';

/** Cachito's API (cachito.md), with its own language for errors, also for paths that there are not. */
export function registerCachito(app: FastifyInstance, services: CachitoServices): void {
  app.register(
    async (scope) => {
      scope.setErrorHandler(answerCachitoError);
      scope.setNotFoundHandler(answerUnknownResource);
      scope.addHook('onRequest', refuseOtherMethods);
      registerRequestBody(scope);
      for (const route of ROUTES) addRoute(scope, services, route);
      addOptions(scope);
    },
    { prefix: CACHITO_PREFIX },
  );
}

function addRoute(scope: FastifyInstance, services: CachitoServices, route: CachitoRoute): void {
  scope.route({
    method: methodsOf(route),
    url: route.path,
    errorHandler: (error, request, reply) =>
      answerCachitoError(route.errorOf ? route.errorOf(error) : error, request, reply),
    onRequest: async (request) => await requireLogin(services, route, request),
    handler: async (request, reply) => {
      await route.handle(await callOf(services, route, request), request, reply);
      return reply;
    },
  });
}

function methodsOf({ method }: CachitoRoute): ('GET' | 'HEAD' | 'POST' | 'PATCH')[] {
  return method === 'GET' ? ['GET', 'HEAD'] : [method];
}

/** By path: the methods that it has, for `Allow`. */
const ALLOWED = new Map(
  [...Map.groupBy(ROUTES, ({ path }) => path)].map(([path, routes]) => [
    path,
    [...routes.flatMap(methodsOf), 'OPTIONS'].sort().join(', '),
  ]),
);

function addOptions(scope: FastifyInstance): void {
  for (const [path, allow] of ALLOWED) {
    scope.options(path, async (_request, reply) =>
      reply.header('allow', allow).type('text/html; charset=utf-8').send(''),
    );
  }
}

const PATTERNS = [...ALLOWED].map(([path, allow]) => ({ pattern: patternOf(path), allow }));

function patternOf(path: string): RegExp {
  const parts = `${CACHITO_PREFIX}${path}`.split(ID).map((part) => part.replaceAll('.', '\\.'));
  return new RegExp(`^${parts.join('\\d+')}$`);
}

/** Any other method of a path that there is, before a body is read. */
async function refuseOtherMethods(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (!request.is404) return;
  const path = decodeURI(request.url.split('?', 1)[0]!);
  const known = PATTERNS.find(({ pattern }) => pattern.test(path));
  if (!known) return;
  reply.header('allow', known.allow);
  throw new MethodNotAllowedError();
}

async function requireLogin(
  { settings, principalOf }: CachitoServices,
  { login }: CachitoRoute,
  request: FastifyRequest,
): Promise<void> {
  if (login === undefined || settings.cachitoLoginDisabled) return;
  const principal = await principalOf(request);
  if (login === 'user') requireSubmitter(settings, principal);
  else requireWorker(settings, principal);
}

async function callOf(
  services: CachitoServices,
  route: CachitoRoute,
  request: FastifyRequest,
): Promise<CachitoCall> {
  const principal = await callerOf(services, route, request);
  const baseUrl = baseUrlOf(services.settings, request);
  return callBy(services, { principal, baseUrl, address: request.ip });
}

function callBy(services: CachitoServices, origin: OperationOrigin): CachitoCall {
  const { principal, baseUrl } = origin;
  return {
    ...services,
    principal,
    baseUrl,
    run: (operation, variables) => runOperation(services, origin, operation, variables),
    as: (other) => callBy(services, { ...origin, principal: other }),
  };
}

/**
 * Reading needs no login (cachito.md 1.2): wrong credentials, and those that are not for reading, are as good as none.
 */
async function callerOf(
  { settings, principalOf }: CachitoServices,
  { login }: CachitoRoute,
  request: FastifyRequest,
): Promise<Principal> {
  if (settings.cachitoLoginDisabled) return PUBLIC_READER;
  if (login !== undefined) return await principalOf(request);
  const principal = await principalOf(request).catch((error: unknown) => {
    if (error instanceof UnauthenticatedError) return PUBLIC_READER;
    throw error;
  });
  return principal.scopes.has('read') ? principal : PUBLIC_READER;
}
