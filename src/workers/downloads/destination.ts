import { NetworkError, ValidationError } from '../../domain/errors.ts';
import { maskCredentials } from './mask-credentials.ts';

/** Where a GET goes and what it may carry there. */
export interface Destination {
  url: URL;
  headers: Record<string, string>;
  /** An upstream of the operator: may be on a private address and may speak http. */
  trusted: boolean;
  insecure: boolean;
}

/** Moves user and password out of the URL into a header. Throws ValidationError for URLs that are not http(s). */
export function destinationOf(
  address: string,
  options: { headers?: Record<string, string> | undefined; trusted: boolean; insecure?: boolean | undefined },
): Destination {
  if (!URL.canParse(address)) throw refused(address, 'it is not a URL');
  const url = new URL(address);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw refused(address, 'it is not an http(s) URL');
  const headers = lowerCased(options.headers ?? {});
  if (url.username || url.password) {
    const credentials = `${decode(url.username)}:${decode(url.password)}`;
    headers.authorization ??= `Basic ${Buffer.from(credentials).toString('base64')}`;
    url.username = '';
    url.password = '';
  }
  url.hash = '';
  return { url, headers, trusted: options.trusted, insecure: options.insecure ?? false };
}

/** Bytes of an untrusted http URL mean something only when their digest is known (prefetch.md 12). */
export function assertAuthentic({ url, trusted }: Destination, digestKnown: boolean): void {
  if (url.protocol !== 'http:' || trusted || digestKnown) return;
  throw new ValidationError(
    'missing-checksum',
    `The http URL ${maskCredentials(url.href)} needs a checksum`,
    {
      details: { url: maskCredentials(url.href) },
      hint: 'Use https, or add a checksum to the lock file.',
    },
  );
}

/**
 * Where a redirect leads. Headers and trust belong to their origin and stay behind when it changes; so does the
 * permission to skip the verification of certificates. Never from https to http.
 */
export function redirected(from: Destination, location: string): Destination {
  if (!URL.canParse(location, from.url.href)) throw badRedirect(from, 'to something that is no URL');
  const to = destinationOf(new URL(location, from.url).href, { trusted: false });
  if (from.url.protocol === 'https:' && to.url.protocol === 'http:')
    throw badRedirect(from, 'from https to http');
  if (!isSameOrigin(from.url, to.url)) return to;
  return {
    ...to,
    headers: { ...from.headers, ...to.headers },
    trusted: from.trusted,
    insecure: from.insecure,
  };
}

function isSameOrigin(from: URL, to: URL): boolean {
  if (from.origin === to.origin) return true;
  const isUpgrade = from.protocol === 'http:' && to.protocol === 'https:' && !from.port && !to.port;
  return isUpgrade && from.hostname === to.hostname;
}

function badRedirect(from: Destination, reason: string): NetworkError {
  const url = maskCredentials(from.url.href);
  return new NetworkError('fetch-failed', `Could not download ${url}: it redirects ${reason}`, {
    details: { url },
  });
}

function refused(address: string, reason: string): ValidationError {
  const url = maskCredentials(address);
  return new ValidationError('fetch-failed', `Could not download ${url}: ${reason}`, { details: { url } });
}

function lowerCased(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
