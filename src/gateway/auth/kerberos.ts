import { DomainError, UnauthenticatedError } from '../../domain/errors.ts';

/** What a ticket says. */
interface AcceptedTicket {
  /** With its realm, as the KDC writes it: `ada@EXAMPLE.COM`. */
  name: string;
  /** For clients that want to know that we are who we say. */
  response: string | null;
}

/** Accepts the tickets of `Authorization: Negotiate`. Throws UnauthenticatedError. */
export type TicketAcceptor = (token: string) => Promise<AcceptedTicket>;

/** `service`: `HTTP@host.example`, whose key is in the file that KRB5_KTNAME names. */
export async function ticketAcceptor(service: string): Promise<TicketAcceptor> {
  const kerberos = await loadPackage();
  return async (token) => {
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(token)) throw new UnauthenticatedError('This is not a ticket');
    // A context serves one negotiation; clients send a new ticket with each request.
    const context = await kerberos.initializeServer(service);
    try {
      await context.step(token);
    } catch (cause) {
      throw new UnauthenticatedError('The ticket was not accepted', { cause });
    }
    if (!context.contextComplete || !context.username) {
      throw new UnauthenticatedError('Negotiations in several steps are not supported');
    }
    return { name: context.username, response: context.response || null };
  };
}

async function loadPackage(): Promise<typeof import('kerberos')> {
  try {
    return await import('kerberos');
  } catch (cause) {
    throw new DomainError('kerberos-missing', 'STOWAGE_KERBEROS_SERVICE needs the package "kerberos"', {
      hint: 'It is compiled by npm install where the headers of MIT Kerberos (libkrb5-dev), make and a C++ compiler are.',
      cause,
    });
  }
}
