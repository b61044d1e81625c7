import { Agent, EnvHttpProxyAgent, request } from 'undici';
import { publicLookup } from '../downloads/address-policy.ts';
import type { Git } from './git-command.ts';
import { accessTo, type RemoteAccess, usesProxy } from './remote-access.ts';
import { parseRepositoryUrl, type RepositoryUrl, refusedUrl } from './repository-url.ts';

const MAX_REDIRECTS = 5;
const SERVICE = '/info/refs?service=git-upload-pack';

/**
 * Where a host sends a repository that was renamed (or asked for without `.git`). Git itself would follow to any address:
 * here every step passes the address policy, and none leads from https to http.
 */
export async function followRedirect(git: Git, url: RepositoryUrl): Promise<RemoteAccess> {
  let at = url;
  for (let hop = 0; hop < MAX_REDIRECTS; hop += 1) {
    // Resolves, checks and pins the address of this hop.
    const access = await accessTo(git, at);
    const next = await redirectOf(git, at);
    if (next === null) return access;
    if (at.protocol === 'https' && next.protocol !== 'https') {
      throw refusedUrl(url.text, `it is redirected from https to ${next.protocol}`);
    }
    at = next;
  }
  throw refusedUrl(url.text, `it is redirected more than ${MAX_REDIRECTS} times`);
}

async function redirectOf(git: Git, url: RepositoryUrl): Promise<RepositoryUrl | null> {
  const base = withoutSecrets(url);
  const dispatcher = usesProxy(url)
    ? new EnvHttpProxyAgent()
    : new Agent({ connect: { lookup: publicLookup() } });
  try {
    const response = await request(base + SERVICE, {
      dispatcher,
      signal: AbortSignal.any([git.signal, AbortSignal.timeout(30_000)]),
      headers: { 'user-agent': 'git/2', 'git-protocol': 'version=2' },
    });
    response.body.on('error', () => undefined).destroy();
    const { location } = response.headers;
    if (response.statusCode < 300 || response.statusCode >= 400 || typeof location !== 'string') return null;
    const target = new URL(location, base + SERVICE).href;
    if (!target.endsWith(SERVICE))
      throw refusedUrl(url.text, 'it is redirected to something that is no repository');
    return parseRepositoryUrl(target.slice(0, -SERVICE.length), git.settings);
  } catch (error) {
    git.signal.throwIfAborted();
    if (error instanceof Error && 'hint' in error) throw error;
    throw refusedUrl(url.text, `its redirect cannot be followed: ${(error as Error).message}`);
  } finally {
    await dispatcher.destroy();
  }
}

/** Credentials are not sent along a redirect. */
function withoutSecrets(url: RepositoryUrl): string {
  const plain = new URL(url.text);
  plain.username = '';
  plain.password = '';
  return plain.href.replace(/\/+$/, '');
}
