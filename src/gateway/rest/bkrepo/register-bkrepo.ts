import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { UnauthenticatedError } from '../../../domain/errors.ts';
import { ANONYMOUS, type Principal } from '../../../domain/identity/principal.ts';
import { baseUrlOf } from '../../base-url.ts';
import type { ContextServices } from '../../graphql/context.ts';
import { runOperation } from '../../graphql/run-operation.ts';
import { callerOf } from './credentials.ts';
import { ERROR_CODES } from './error-codes.ts';
import { answerBkrepoError, answerUnknownUrl, BkrepoError } from './errors.ts';
import { REPOSITORY_INFO } from './operations/repositories.ts';
import { repositoryIdOf } from './parameters/names.ts';
import { registerRequestBody } from './request-body.ts';
import type { BkrepoCall, BkrepoRoute } from './route.ts';
import { ROUTES } from './routes/routes.ts';

export type BkrepoServices = ContextServices & {
  principalOf: (request: FastifyRequest) => Promise<Principal>;
};

/** Everything below these speaks this dialect, also where there is nothing (bkrepo-docker.md 5, 9). */
const PREFIXES = ['/docker', '/oci/ext', '/repository/api', '/auth/api'];
/** But for the registry itself. */
const REGISTRY_PREFIX = '/docker/v2';

export function isBkrepoUrl(url: string): boolean {
  return PREFIXES.some((prefix) => isBelow(prefix, url)) && !isBelow(REGISTRY_PREFIX, url);
}

function isBelow(prefix: string, url: string): boolean {
  return url.startsWith(prefix) && /^(?:[/?]|$)/.test(url.slice(prefix.length));
}

/** The docker APIs of bk-repo, both generations, and what is around them (bkrepo-docker.md). */
export function registerBkrepo(app: FastifyInstance, services: BkrepoServices): void {
  app.decorateRequest('bkrepoUser', null);
  app.register(async (scope) => {
    scope.setErrorHandler(answerBkrepoError);
    registerRequestBody(scope);
    for (const route of ROUTES) addRoute(scope, services, route);
  });
  for (const prefix of PREFIXES) {
    app.register(
      async (scope) => {
        scope.setErrorHandler(answerBkrepoError);
        scope.setNotFoundHandler(answerUnknownCall);
      },
      { prefix },
    );
  }
}

function addRoute(scope: FastifyInstance, services: BkrepoServices, route: BkrepoRoute): void {
  scope.route({
    method: methodsOf(route),
    url: route.path,
    // Before the body is read.
    onRequest: async (request) => {
      request.bkrepoCall = await callOf(services, route, request);
    },
    handler: async (request, reply) => {
      const call = request.bkrepoCall!;
      try {
        await route.handle(call, request, reply);
      } catch (error) {
        if (isMistake(error)) await requireLoginFirst(call, request);
        throw error;
      }
      return reply;
    },
  });
}

function isMistake(error: unknown): boolean {
  return error instanceof BkrepoError && ERROR_CODES[error.failure][1] === 400;
}

/** Whoever should log in is told so, and not what else is wrong (bkrepo-docker.md 1.1). */
async function requireLoginFirst(call: BkrepoCall, request: FastifyRequest): Promise<void> {
  if (call.principal.name !== null) return;
  const { repoName } = request.params as { repoName?: string };
  if (repoName === undefined || !['GET', 'HEAD'].includes(request.method)) throw new UnauthenticatedError();
  await call.run(REPOSITORY_INFO, repositoryIdOf(request));
}

declare module 'fastify' {
  interface FastifyRequest {
    bkrepoCall?: BkrepoCall;
  }
}

function methodsOf({ method }: BkrepoRoute): BkrepoRoute['method'][] | ['GET', 'HEAD'] {
  return method === 'GET' ? ['GET', 'HEAD'] : [method];
}

async function callOf(
  services: BkrepoServices,
  { login }: BkrepoRoute,
  request: FastifyRequest,
): Promise<BkrepoCall> {
  const principal = login === 'nobody' ? ANONYMOUS : await callerOf(services, request);
  request.bkrepoUser = principal.name;
  if (login === 'user' && principal.name === null) throw new UnauthenticatedError();
  const baseUrl = baseUrlOf(services.settings, request);
  const origin = { principal, baseUrl, address: request.ip };
  return {
    ...services,
    principal,
    baseUrl,
    run: (operation, variables) => runOperation(services, origin, operation, variables),
  };
}

const PATTERNS = [...Map.groupBy(ROUTES, ({ path }) => path)].map(([path, routes]) => ({
  pattern: patternOf(path),
  allow: routes.flatMap(methodsOf),
}));

function patternOf(path: string): RegExp {
  const parts = path.split('/').map((part) => (part.startsWith(':') ? '[^/]+' : part === '*' ? '.+' : part));
  return new RegExp(`^${parts.join('/')}$`);
}

/** Another method of a path that there is, or nothing at all. */
function answerUnknownCall(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const path = request.url.split('?', 1)[0]!;
  const allow = PATTERNS.filter(({ pattern }) => pattern.test(path)).flatMap((known) => known.allow);
  if (allow.length === 0 || (allow as string[]).includes(request.method))
    return answerUnknownUrl(request, reply);
  reply.header('allow', [...new Set(allow)].join(', '));
  const reason = `Request method '${request.method}' not supported`;
  return answerBkrepoError(new BkrepoError('METHOD_NOT_ALLOWED', reason), request, reply);
}
