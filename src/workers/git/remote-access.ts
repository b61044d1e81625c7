import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { isIPv4, isIPv6 } from 'node:net';
import { join } from 'node:path';
import { DomainError, NetworkError } from '../../domain/errors.ts';
import { assertPublicHost, assertPublicLiteral } from '../downloads/address-policy.ts';
import { allowedProtocols, type Git, type GitOptions } from './git-command.ts';
import { readOperatorGitConfig, rewrittenUrl } from './operator-git-config.ts';
import { parseRepositoryUrl, type RepositoryUrl, refusedUrl } from './repository-url.ts';

/** How a remote repository is reached: what git is given beyond the command itself. */
export interface RemoteAccess {
  url: string;
  options: Pick<GitOptions, 'config' | 'environment'>;
  /** Whether the address policy holds for it. Git then follows no redirect by itself. */
  guarded: boolean;
}

const SSH = 'ssh -o BatchMode=yes -o ConnectTimeout=30';

/**
 * Applies the address policy (prefetch.md 12): the host must resolve to public addresses, and git is held to those that
 * were checked. Free of it are local paths (which need the `file` protocol), everything when private networks are
 * allowed, and what the operator's `insteadOf` sends elsewhere: the operator chose that host and its protocol.
 */
export async function accessTo(git: Git, url: RepositoryUrl): Promise<RemoteAccess> {
  const config = await readOperatorGitConfig(git);
  const ssh = config.sshCommand === null ? { GIT_SSH_COMMAND: SSH } : {};
  const rewritten = rewrittenUrl(url.text, config);
  if (rewritten) {
    return { url: url.text, guarded: false, options: trustedOptions(git, url, rewritten, ssh) };
  }
  if (url.protocol === 'file') return { url: url.text, guarded: false, options: localOptions(git) };
  if (git.settings.allowPrivateNetworks) {
    return { url: url.text, guarded: false, options: { environment: ssh } };
  }
  return pinned(url, await checkedAddresses(git, url), config.sshCommand === null);
}

function trustedOptions(
  git: Git,
  given: RepositoryUrl,
  { url, base }: { url: string; base: string },
  ssh: Record<string, string>,
): RemoteAccess['options'] {
  const everything = { ...git.settings, gitAllowedProtocols: ['https', 'http', 'ssh', 'git', 'file'] };
  const target = parseRepositoryUrl(url, everything);
  // A rule without a slash at its end must not let the rest of the given URL choose the host.
  const named =
    base.includes(`//${target.host}`) || base.includes(`@${target.host}`) || base.startsWith(target.host);
  if (target.protocol !== 'file' && !named && !base.toLowerCase().includes(target.host)) {
    throw refusedUrl(given.text, 'a rule of the git configuration gives it another host than its own');
  }
  const protocols = [...new Set([...allowedProtocols(git.settings), target.protocol])];
  const local = target.protocol === 'file' ? localOptions(git).environment : {};
  return { environment: { ...ssh, ...local, GIT_ALLOW_PROTOCOL: protocols.join(':') } };
}

/**
 * Local repositories are served by a second git, which takes its permissions from the global configuration only: it may
 * serve repositories of other users, single commits, and histories without their contents.
 */
function localOptions(git: Git): RemoteAccess['options'] {
  const directory = join(git.settings.dataDir, 'git');
  const file = join(directory, 'local.config');
  const include =
    git.settings.gitConfig === null ? '' : `[include]\n\tpath = ${JSON.stringify(git.settings.gitConfig)}\n`;
  const content = `${include}[safe]\n\tdirectory = *\n[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n`;
  if (!existsSync(file) || readFileSync(file, 'utf8') !== content) {
    mkdirSync(directory, { recursive: true });
    writeFileSync(`${file}.${process.pid}`, content);
    renameSync(`${file}.${process.pid}`, file);
  }
  return { environment: { GIT_CONFIG_GLOBAL: file } };
}

/** Empty: a proxy resolves the name, and it is the proxy's to say what may be reached. */
async function checkedAddresses(git: Git, url: RepositoryUrl): Promise<string[]> {
  try {
    assertPublicLiteral(url.host);
    const addresses = await assertPublicHost(url.host, git.signal);
    return addresses.map(({ address }) => address);
  } catch (error) {
    if (error instanceof NetworkError && usesProxy(url)) return [];
    if (error instanceof DomainError)
      throw refusedUrl(url.text, error.message, error.hint ? { hint: error.hint } : {});
    throw error;
  }
}

function pinned(url: RepositoryUrl, addresses: readonly string[], ownSsh: boolean): RemoteAccess {
  const { protocol, host, port } = url;
  const first = addresses.find(isIPv4) ?? addresses[0];
  if (protocol === 'https' || protocol === 'http') {
    const list = addresses.map((address) => (isIPv6(address) ? `[${address}]` : address)).join(',');
    const pin =
      list === '' ? [] : [`http.curloptResolve=${host}:${port ?? (protocol === 'https' ? 443 : 80)}:${list}`];
    return { url: url.text, guarded: true, options: { config: [...pin, 'http.followRedirects=false'] } };
  }
  if (protocol === 'git' && first !== undefined) {
    const vhost = port === null ? host : `${host}:${port}`;
    const address = isIPv6(first) ? `[${first}]` : first;
    const direct = `git://${address}${port === null ? '' : `:${port}`}${url.path}`;
    return { url: direct, guarded: true, options: { environment: { GIT_OVERRIDE_VIRTUAL_HOST: vhost } } };
  }
  // The key is still looked up under the name of the host.
  const alias = port === null ? host : `[${host}]:${port}`;
  const pin = first === undefined ? '' : ` -o HostName=${first} -o HostKeyAlias=${alias}`;
  return {
    url: url.text,
    guarded: true,
    options: ownSsh ? { environment: { GIT_SSH_COMMAND: SSH + pin } } : {},
  };
}

/** Whether the environment sends this URL through a proxy, for which the name need not be known here. */
export function usesProxy({ protocol, host }: Pick<RepositoryUrl, 'protocol' | 'host'>): boolean {
  const environment = process.env;
  const proxy =
    protocol === 'https'
      ? (environment.https_proxy ?? environment.HTTPS_PROXY)
      : protocol === 'http'
        ? environment.http_proxy
        : undefined;
  if (!(proxy || ((environment.all_proxy ?? environment.ALL_PROXY) && /^https?$/.test(protocol))))
    return false;
  const exceptions = (environment.no_proxy ?? environment.NO_PROXY ?? '')
    .split(',')
    .map((word) => word.trim());
  return !exceptions.some(
    (word) => word === '*' || (word !== '' && `.${host}`.endsWith(`.${word.replace(/^\./, '')}`)),
  );
}
