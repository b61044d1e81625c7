import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ANONYMOUS } from '../../../domain/identity/principal.ts';
import { baseUrlOf } from '../../base-url.ts';
import { runOperation } from '../../graphql/run-operation.ts';
import { callerOf, namespaceOf, type PrincipalOf } from './credentials.ts';
import { allowOrigins } from './cross-origin.ts';
import { answerFandoghError, answerUnknownPath, requestError } from './errors.ts';
import { languageOf, TEXTS } from './language.ts';
import { discardBody, leaveRequestBody, registerRequestBody } from './request-body.ts';
import type { FandoghCall, FandoghRoute, FandoghServices } from './route.ts';
import { publishVersion } from './routes/publish-version.ts';
import { ROUTES } from './routes/routes.ts';

type Services = FandoghServices & { principalOf: PrincipalOf };

/** Everything below these speaks this dialect but for what is Cachito's. */
const PREFIXES = ['/api', '/fa/api'] as const;

export function isFandoghUrl(url: string): boolean {
  return PREFIXES.some((prefix) => url.startsWith(`${prefix}/`));
}

/** The images API of Fandogh (fandogh.md), in English and in Persian. */
export function registerFandogh(app: FastifyInstance, services: Services): void {
  for (const prefix of PREFIXES) {
    app.register(
      async (scope) => {
        scope.setErrorHandler(answerFandoghError);
        scope.setNotFoundHandler(answerUnknownCall);
        allowOrigins(scope);
        leaveRequestBody(scope);
        addUploadRoute(scope, services);
        scope.register(async (calls) => {
          registerRequestBody(calls);
          for (const route of ROUTES) addRoute(calls, services, route);
        });
      },
      { prefix },
    );
  }
}

function addRoute(scope: FastifyInstance, services: Services, route: FandoghRoute): void {
  for (const url of pathsOf(route.path)) {
    scope.route({
      method: route.method,
      url,
      // Before the body is read.
      onRequest: async (request) => {
        request.fandoghCall = await callOf(services, request, route.login);
      },
      handler: async (request, reply) => {
        await route.handle(request.fandoghCall!, request, reply);
        return reply;
      },
    });
  }
}

function addUploadRoute(scope: FastifyInstance, services: Services): void {
  for (const url of pathsOf(publishVersion.path)) {
    scope.route({
      method: publishVersion.method,
      url,
      handler: async (request, reply) => {
        await publishVersion.handle(() => callOf(services, request), request, reply);
        return reply;
      },
    });
  }
}

declare module 'fastify' {
  interface FastifyRequest {
    fandoghCall?: FandoghCall;
  }
}

function pathsOf(path: string): string[] {
  return [path, `${path}/`];
}

async function callOf(services: Services, request: FastifyRequest, login?: 'nobody'): Promise<FandoghCall> {
  const principal = login === 'nobody' ? ANONYMOUS : await callerOf(services.principalOf, request);
  const baseUrl = baseUrlOf(services.settings, request);
  const origin = { principal, baseUrl, address: request.ip };
  const language = languageOf(request.url);
  return {
    ...services,
    principal,
    baseUrl,
    language,
    text: (name) => TEXTS[name][language],
    namespace: () => namespaceOf(services.database, principal, request),
    run: (operation, variables) => runOperation(services, origin, operation, variables),
  };
}

const PATTERNS = [...ROUTES, publishVersion].map(
  ({ path }) => new RegExp(`^(?:/fa)?/api${path.replaceAll(/:\w+/g, '[^/]+')}/?$`),
);

/** Another method of a path that there is, or nothing at all. */
async function answerUnknownCall(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  await discardBody(request);
  const path = request.url.split('?', 1)[0]!;
  if (!PATTERNS.some((pattern) => pattern.test(path))) return answerUnknownPath(request, reply);
  return answerFandoghError(
    requestError(`The method ${request.method} is not for this path`),
    request,
    reply,
  );
}
