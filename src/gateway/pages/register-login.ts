import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { audited } from '../../domain/audit/audit-log.ts';
import type { Settings } from '../../domain/config.ts';
import type { Database } from '../../domain/database/database.ts';
import { DomainError, InvalidInputError } from '../../domain/errors.ts';
import type { Authenticator } from '../../domain/identity/authenticate.ts';
import {
  browserPrincipal,
  endBrowserSession,
  openBrowserSession,
} from '../../domain/identity/browser-sessions.ts';
import { clearCookie, cookieSecretOf, isOwnPage, setCookie } from '../auth/session-cookie.ts';
import { retryAfterOf } from '../http-errors.ts';
import { LOGIN_POLICY, loginPage } from './login-page.ts';

interface LoginServices {
  settings: Pick<Settings, 'publicUrl'>;
  database: Database;
  authenticator: Authenticator;
}

const MOST_FORM_BYTES = 8_192;

/** `/login` and `/logout` for browsers: forms, and a cookie that GraphQL and downloads take (docs/security.md, "Browsers"). */
export function registerLogin(app: FastifyInstance, services: LoginServices): void {
  const { settings, database, authenticator } = services;
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    const options = { parseAs: 'string', bodyLimit: MOST_FORM_BYTES } as const;
    scope.addContentTypeParser('application/x-www-form-urlencoded', options, (_request, body, done) =>
      done(null, new URLSearchParams(String(body))),
    );

    scope.get('/login', async (request, reply) => {
      const principal = await sessionOf(request);
      return send(reply, 200, { user: principal?.name ?? null, problem: null });
    });
    scope.post('/login', async (request, reply) => {
      if (!isOwnPage(settings, request)) return refuse(reply);
      try {
        await logIn(request, reply);
        return await reply.redirect('graphql', 303);
      } catch (error) {
        const answer = problemOf(error);
        if (answer === null) throw error;
        if (answer.status === 429) reply.header('retry-after', retryAfterOf(error));
        return send(reply, answer.status, { user: null, problem: answer.problem });
      }
    });
    scope.post('/logout', async (request, reply) => {
      if (!isOwnPage(settings, request)) return refuse(reply);
      const secret = cookieSecretOf(settings, request);
      const principal = await sessionOf(request);
      if (secret !== null && principal !== null) {
        const action = { action: 'logOut', details: {}, address: request.ip };
        await audited(database, principal, action, () => endBrowserSession(database, secret));
      }
      clearCookie(settings, request, reply);
      return await reply.header('cache-control', 'no-store').redirect('login', 303);
    });
  });

  async function sessionOf(request: FastifyRequest) {
    const secret = cookieSecretOf(settings, request);
    return secret === null ? null : await browserPrincipal(database, secret);
  }

  async function logIn(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const form = request.body instanceof URLSearchParams ? request.body : new URLSearchParams();
    const [username, password] = [one(form, 'username'), one(form, 'password')];
    const principal = await authenticator.byPassword(username, password, request.ip);
    const action = { action: 'logIn', details: { browser: true }, address: request.ip };
    const secret = await audited(database, principal, action, () => openBrowserSession(database, principal));
    const former = cookieSecretOf(settings, request);
    if (former !== null) await endBrowserSession(database, former);
    setCookie(settings, request, reply, secret);
    reply.header('cache-control', 'no-store');
  }
}

/** Throws InvalidInputError. */
function one(form: URLSearchParams, name: string): string {
  const values = form.getAll(name);
  if (values.length === 1 && values[0] !== '') return values[0]!;
  throw new InvalidInputError('Give a user name and a password');
}

function problemOf(error: unknown): { status: number; problem: string } | null {
  if (!(error instanceof DomainError)) return null;
  switch (error.code) {
    case 'unauthenticated':
      return { status: 401, problem: 'The user name or the password is wrong.' };
    case 'too-many-requests':
      return { status: 429, problem: `${error.message}.` };
    case 'invalid-input':
      return { status: 400, problem: `${error.message}.` };
    default:
      return null;
  }
}

function refuse(reply: FastifyReply): FastifyReply {
  return send(reply, 403, { user: null, problem: 'That was not sent from this page. Try it here.' });
}

function send(reply: FastifyReply, status: number, page: Parameters<typeof loginPage>[0]): FastifyReply {
  // No Basic here: browsers would ask for a password over the form.
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="Stowage"');
  return reply
    .code(status)
    .headers({
      'cache-control': 'no-store',
      'content-security-policy': LOGIN_POLICY,
      // With the stricter one of all other pages, browsers say of a form that it comes from nowhere: `Origin: null`.
      'referrer-policy': 'same-origin',
    })
    .type('text/html; charset=utf-8')
    .send(loginPage(page));
}
