import { NetworkError } from '../../../domain/errors.ts';
import { netrcAuthorization, ownAuthorization, readNetrc } from '../../downloads/credentials.ts';
import type { NetrcEntry } from '../../downloads/netrc.ts';
import type { GoConfiguration } from './go-configuration.ts';

/** The module proxies that we ask ourselves, and what is left for the go command. */
export interface Upstream {
  proxies: ModuleProxyServer[];
  /** What comes after them in GOPROXY (`direct`, `file:` URLs), for the go command itself. */
  rest: string[];
}

export interface ModuleProxyServer {
  /** Without credentials and final slash. */
  url: string;
  headers: Record<string, string>;
  /** False: the next one is asked only when this one does not know the module (404, 410). */
  nextOnAnyError: boolean;
}

type Environment = Record<string, string | undefined>;

/**
 * Takes GOPROXY apart. `direct` in go's own default is left out: go would fetch from any host that a go.mod names,
 * unguarded (prefetch.md 12). It stays where the operator asks for it, and for modules that match GOPRIVATE.
 */
export async function readUpstream(
  configuration: Pick<GoConfiguration, 'goproxy' | 'proxyFromSettings'>,
  allowPrivateNetworks: boolean,
  environment: Environment = process.env,
): Promise<Upstream> {
  const upstream: Upstream = { proxies: [], rest: [] };
  const netrc = await readNetrc(environment);
  const mayGoDirect = configuration.proxyFromSettings || allowPrivateNetworks;
  for (const [, entry = '', separator] of configuration.goproxy.matchAll(/([^,|]+)([,|]?)/g)) {
    const text = entry.trim();
    if (text === '') continue;
    if (text === 'off') {
      upstream.rest.push('off');
      break;
    }
    if (/^https?:\/\//i.test(text) && URL.canParse(text)) {
      if (upstream.rest.length > 0) throw badOrder();
      upstream.proxies.push(proxyServer(new URL(text), separator === '|', netrc));
    } else if (text === 'direct') {
      if (mayGoDirect) upstream.rest.push(text);
    } else if (/^file:\/\//.test(text)) {
      upstream.rest.push(text);
    } else {
      throw new NetworkError('fetch-failed', 'GOPROXY names something that is no http, https or file URL');
    }
  }
  return upstream;
}

function proxyServer(url: URL, nextOnAnyError: boolean, netrc: readonly NetrcEntry[]): ModuleProxyServer {
  const headers = ownAuthorization(url, url) ?? netrcAuthorization(url, netrc);
  url.username = '';
  url.password = '';
  return {
    url: url.href.replace(/\/+$/, ''),
    headers,
    nextOnAnyError,
  };
}

function badOrder(): NetworkError {
  return new NetworkError('fetch-failed', 'GOPROXY names a module proxy after "direct" or a file URL', {
    hint: 'Name http and https proxies first.',
  });
}
