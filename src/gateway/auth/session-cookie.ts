import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Settings } from '../../domain/config.ts';
import { baseUrlOf } from '../base-url.ts';
import { CSRF_PROOFS } from '../graphql/multipart-uploads.ts';
import { isOwnOrigin } from './foreign-page.ts';

type CookieSettings = Pick<Settings, 'publicUrl'>;

/** The secret of the session in the browser's cookie; null: there is none. */
export function cookieSecretOf(settings: CookieSettings, request: FastifyRequest): string | null {
  const { name } = cookieOf(settings, request);
  const values = (request.headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
  // Two of them: somebody else has set one.
  return values.length === 1 && /^[\w-]{43}$/.test(values[0]!) ? values[0]! : null;
}

export function setCookie(
  settings: CookieSettings,
  request: FastifyRequest,
  reply: FastifyReply,
  secret: string,
): void {
  const { name, attributes } = cookieOf(settings, request);
  reply.header('set-cookie', `${name}=${secret}; ${attributes}`);
}

export function clearCookie(settings: CookieSettings, request: FastifyRequest, reply: FastifyReply): void {
  const { name, attributes } = cookieOf(settings, request);
  reply.header('set-cookie', `${name}=; Max-Age=0; ${attributes}`);
}

/**
 * Whether a browser sent the request for a page of ours, or for nobody else's at least. Browsers say where a request comes
 * from (Fetch Metadata; those over plain HTTP, and older ones, `Origin` of everything but reads), and no page can change that.
 */
export function isOwnPage(settings: CookieSettings, request: FastifyRequest): boolean {
  const { 'sec-fetch-site': site, origin } = request.headers;
  if (site !== undefined) return site === 'same-origin' || (site === 'none' && isRead(request));
  return origin === undefined || isOwnOrigin(origin, settings, request);
}

/** Whether a cookie may stand for its user: for reads, and for what no form of another page can send. */
export function mayUseCookie(settings: CookieSettings, request: FastifyRequest): boolean {
  const { headers } = request;
  if (!isOwnPage(settings, request)) return false;
  if (isRead(request)) return true;
  const isJson = /^application\/json\s*(?:;|$)/i.test(headers['content-type'] ?? '');
  return isJson || CSRF_PROOFS.some((name) => headers[name] !== undefined);
}

function isRead({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** With the prefix no other host of the same domain can set it, nor anybody over plain HTTP. */
function cookieOf(settings: CookieSettings, request: FastifyRequest): { name: string; attributes: string } {
  const attributes = 'Path=/; HttpOnly; SameSite=Strict';
  return baseUrlOf(settings, request).startsWith('https:')
    ? { name: '__Host-stowage', attributes: `${attributes}; Secure` }
    : { name: 'stowage', attributes };
}
