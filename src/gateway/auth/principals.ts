import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Settings } from '../../domain/config.ts';
import type { Database } from '../../domain/database/database.ts';
import { UnauthenticatedError } from '../../domain/errors.ts';
import type { Authenticator } from '../../domain/identity/authenticate.ts';
import { outsidePrincipal } from '../../domain/identity/outside-users.ts';
import type { Principal } from '../../domain/identity/principal.ts';
import { clientReader } from './client.ts';
import { clientCertificateSubject } from './client-certificate.ts';
import { type TicketAcceptor, ticketAcceptor } from './kerberos.ts';
import { type ProxySettings, trustedProxyReader } from './trusted-proxy.ts';

const TICKET = /^negotiate\s+(\S+)\s*$/i;

interface PrincipalServices {
  settings: ProxySettings & Pick<Settings, 'kerberosService'>;
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
    const now = isTicket
      ? await outsidePrincipal(this.#services.database, before.name)
      : await this.#find(request, authorization);
    if (now.userId !== before.userId || (before.isAdmin && !now.isAdmin)) {
      throw new UnauthenticatedError('The credentials stand for less than they did');
    }
    return now;
  }

  async #find(request: IncomingMessage, authorization: string | undefined): Promise<Principal> {
    const { database, authenticator } = this.#services;
    const name = this.#readProxy(request) ?? clientCertificateSubject(request);
    if (name !== null) return await outsidePrincipal(database, name);
    const token = TICKET.exec(authorization ?? '')?.[1];
    if (token !== undefined && this.#acceptTicket) return await this.#ofTicket(request, token);
    return await authenticator.authenticate(authorization, this.#clientOf(request).address);
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
