import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Settings } from '../../domain/config.ts';
import type { Database } from '../../domain/database/database.ts';
import { UnauthenticatedError } from '../../domain/errors.ts';
import type { Authenticator } from '../../domain/identity/authenticate.ts';
import { browserPrincipal } from '../../domain/identity/browser-sessions.ts';
import { outsidePrincipal } from '../../domain/identity/outside-users.ts';
import { ANONYMOUS, type Principal } from '../../domain/identity/principal.ts';
import { clientReader } from './client.ts';
import { clientCertificateSubject } from './client-certificate.ts';
import { refuseForeignPage } from './foreign-page.ts';
import { type TicketAcceptor, ticketAcceptor } from './kerberos.ts';
import { cookieSecretOf, mayUseCookie } from './session-cookie.ts';
import { type ProxySettings, trustedProxyReader } from './trusted-proxy.ts';

const TICKET = /^negotiate\s+(\S+)\s*$/i;
/** What browsers send by themselves, once they know it. */
const AMBIENT = /^(negotiate|basic)\s/i;

interface PrincipalServices {
  settings: ProxySettings & Pick<Settings, 'kerberosService' | 'publicUrl'>;
  database: Database;
  authenticator: Authenticator;
}

/**
 * Who sends a request; found out once for each. The first that says something counts (cachito.md 1.2): headers of a
 * trusted proxy, a client certificate, `Authorization`. Throws UnauthenticatedError for wrong credentials.
 */
export class Principals {
  readonly #services: PrincipalServices;
  readonly #readProxy: (request: IncomingMessage) => string | null;
  readonly #clientOf: ReturnType<typeof clientReader>;
  readonly #acceptTicket: TicketAcceptor | null;
  readonly #known = new WeakMap<IncomingMessage, Promise<Principal>>();
  /** Requests that a session of a browser stands behind. */
  readonly #sessions = new WeakMap<IncomingMessage, string>();
  readonly #answers = new WeakMap<IncomingMessage, ServerResponse>();

  private constructor(services: PrincipalServices, acceptTicket: TicketAcceptor | null) {
    this.#services = services;
    this.#readProxy = trustedProxyReader(services.settings);
    this.#clientOf = clientReader(services.settings);
    this.#acceptTicket = acceptTicket;
  }

  /** Throws DomainError when Kerberos is asked for and cannot be had. */
  static async open(services: PrincipalServices): Promise<Principals> {
    const { kerberosService } = services.settings;
    return new Principals(services, kerberosService === null ? null : await ticketAcceptor(kerberosService));
  }

  /** Call it on the root, before routes are added: the answer to a ticket goes into the headers. */
  register(app: FastifyInstance): void {
    app.addHook('onRequest', (request, reply, done) => {
      this.#answers.set(request.raw, reply.raw);
      done();
    });
  }

  of(request: FastifyRequest): Promise<Principal> {
    return this.ofConnection(request.raw, request.headers.authorization);
  }

  /**
   * For what browsers ask for besides: where nothing else says who asks, a session may, of a request that no other page
   * can have made. The dialects know none.
   */
  ofBrowser(request: FastifyRequest): Promise<Principal> {
    let principal = this.#known.get(request.raw);
    if (!principal) {
      principal = this.#findBrowser(request);
      this.#known.set(request.raw, principal);
    }
    return principal;
  }

  /** For web sockets, whose credentials may come in a message. */
  ofConnection(request: IncomingMessage, authorization: string | undefined): Promise<Principal> {
    let principal = this.#known.get(request);
    if (!principal) {
      principal = this.#find(request, authorization);
      this.#known.set(request, principal);
    }
    return principal;
  }

  /**
   * The same once more, for a connection that stays open: throws UnauthenticatedError when what was good is no longer, or
   * when somebody has lost rights. A ticket is good for one negotiation; its user is looked for again.
   */
  async again(request: IncomingMessage, authorization: string | undefined): Promise<Principal> {
    const before = await this.ofConnection(request, authorization);
    if (before.name === null) return before;
    const isTicket = this.#acceptTicket !== null && TICKET.test(authorization ?? '');
    const session = this.#sessions.get(request);
    if (session !== undefined) return await this.#sessionAgain(session, before);
    const now = isTicket
      ? await outsidePrincipal(this.#services.database, before.name)
      : await this.#find(request, authorization);
    if (now.userId !== before.userId || (before.isAdmin && !now.isAdmin)) {
      throw new UnauthenticatedError('The credentials stand for less than they did');
    }
    return now;
  }

  async #find(request: IncomingMessage, authorization: string | undefined): Promise<Principal> {
    const { settings, database, authenticator } = this.#services;
    const client = this.#clientOf(request);
    const name = this.#readProxy(request) ?? clientCertificateSubject(request);
    if (name !== null || AMBIENT.test(authorization ?? '')) refuseForeignPage(settings, request, client);
    if (name !== null) return await outsidePrincipal(database, name);
    const token = TICKET.exec(authorization ?? '')?.[1];
    if (token !== undefined && this.#acceptTicket) return await this.#ofTicket(request, token);
    return await authenticator.authenticate(authorization, client.address);
  }

  async #findBrowser(request: FastifyRequest): Promise<Principal> {
    const { settings, database } = this.#services;
    const { raw, headers } = request;
    const principal = await this.#find(raw, headers.authorization);
    if (principal.name !== null || headers.authorization !== undefined) return principal;
    const secret = mayUseCookie(settings, request) ? cookieSecretOf(settings, request) : null;
    const user = secret === null ? null : await browserPrincipal(database, secret);
    if (!user) return ANONYMOUS;
    this.#sessions.set(raw, secret!);
    // Nobody else may be shown the answer.
    this.#answers.get(raw)?.setHeader('cache-control', 'private, no-store');
    return user;
  }

  async #sessionAgain(secret: string, before: Principal): Promise<Principal> {
    const now = await browserPrincipal(this.#services.database, secret);
    if (!now || (before.isAdmin && !now.isAdmin)) throw new UnauthenticatedError('The session is over');
    return now;
  }

  async #ofTicket(request: IncomingMessage, token: string): Promise<Principal> {
    const { name, response } = await this.#acceptTicket!(token);
    const principal = await outsidePrincipal(this.#services.database, name);
    const answer = this.#answers.get(request);
    if (response !== null && answer && !answer.headersSent) {
      answer.setHeader('www-authenticate', `Negotiate ${response}`);
    }
    return principal;
  }
}
