import type { IncomingMessage } from 'node:http';
import type { Settings } from '../../domain/config.ts';
import { ForbiddenError } from '../../domain/errors.ts';
import type { clientReader } from './client.ts';

type Reached = Pick<ReturnType<ReturnType<typeof clientReader>>, 'protocol' | 'host'>;

/**
 * For credentials that a browser sends by itself, whichever page is open: certificates, tickets, passwords that it remembers,
 * and what a proxy in front makes of them. Forms of other sites may send them along with changes, and web sockets may be
 * opened with them. Throws ForbiddenError. Reads are harmless: no other page sees the answer.
 */
export function refuseForeignPage(
  { publicUrl }: Pick<Settings, 'publicUrl'>,
  { method, headers }: Pick<IncomingMessage, 'method' | 'headers'>,
  { protocol, host }: Reached,
): void {
  const isSocket = headers.upgrade?.toLowerCase() === 'websocket';
  if ((method === 'GET' || method === 'HEAD') && !isSocket) return;
  const { 'sec-fetch-site': site, origin } = headers;
  // Browsers say where a request comes from, and no page can change that; over plain HTTP only the origin.
  const isForeign =
    site === undefined
      ? origin !== undefined && !isOwnOrigin(origin, { publicUrl }, { protocol, host })
      : site === 'cross-site' || site === 'same-site';
  if (!isForeign) return;
  throw new ForbiddenError('A page of another site has sent this', {
    hint: 'Pages of other sites need a token, which they send as "Bearer" in the header "Authorization".',
  });
}

/** Whether an `Origin` is where this server is reached: by the request, or as configured. */
export function isOwnOrigin(
  origin: string,
  { publicUrl }: Pick<Settings, 'publicUrl'>,
  { protocol, host }: Reached,
): boolean {
  return origin === `${protocol}://${host}` || (publicUrl !== null && origin === new URL(publicUrl).origin);
}
