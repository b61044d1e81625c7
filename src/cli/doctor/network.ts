import type { Settings } from '../../domain/config.ts';
import { addressOf, type UpstreamName } from '../../workers/status/upstreams.ts';
import { type CheckResult, ok, reason, warn } from './check.ts';

const TIMEOUT_MS = 5_000;

/** The gateway of these settings, if one runs. */
export async function gateway(settings: Settings): Promise<CheckResult> {
  if (settings.port === 0) return ok('gateway', 'its port is picked at start');
  const host = settings.host === '0.0.0.0' || settings.host === '::' ? '127.0.0.1' : settings.host;
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${settings.port}`;
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (response.ok) return ok('gateway', `ready on ${url}`);
    return warn(
      'gateway',
      `${url} answers with status ${response.status}`,
      'Its log says why it is not ready.',
    );
  } catch {
    return warn(
      'gateway',
      `nothing listens on ${url}`,
      'Run "npm start" if you want a server; "stowage prefetch" needs none.',
    );
  }
}

interface Upstream {
  name: UpstreamName;
  title: string;
  /** Where its address comes from. */
  setting: string;
}

const UPSTREAMS: readonly Upstream[] = [
  { name: 'npm-registry', title: 'npm registry', setting: 'STOWAGE_NPM_REGISTRY or .npmrc' },
  { name: 'pypi', title: 'Python index', setting: 'STOWAGE_PYPI_INDEX or pip.conf' },
  { name: 'go-proxy', title: 'Go module proxy', setting: 'STOWAGE_GOPROXY or GOPROXY' },
  {
    name: 'rubygems',
    title: 'gem source',
    setting: "STOWAGE_RUBYGEMS_SOURCE, .gemrc or Bundler's mirrors",
  },
];

/** One for each upstream, side by side. */
export const upstreamChecks: readonly ((settings: Settings) => Promise<CheckResult>)[] = UPSTREAMS.map(
  (upstream) => (settings) => checkUpstream(upstream, settings),
);

/** Any answer will do: whether a name is served is a matter of the request. */
async function checkUpstream(
  { name: upstream, title: name, setting }: Upstream,
  settings: Settings,
): Promise<CheckResult> {
  let url = '';
  try {
    const target = await addressOf(upstream, settings);
    if (target === null) return missing(upstream, name, setting);
    url = target.url;
    const startedAt = performance.now();
    const response = await fetch(url, {
      method: 'HEAD',
      headers: target.headers,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const ms = Math.round(performance.now() - startedAt);
    if (response.status === 401 || response.status === 403 || response.status === 407) {
      return warn(
        name,
        `${shown(url)} answers with status ${response.status}`,
        `Check the credentials for ${setting}.`,
      );
    }
    if (response.status >= 500) {
      return warn(name, `${shown(url)} answers with status ${response.status}`, `Check ${setting}, or wait.`);
    }
    return ok(name, `${shown(url)} in ${ms} ms`);
  } catch (error) {
    const where = url === '' ? '' : `${shown(url)}: `;
    return warn(name, `${where}${reason(error)}`, `Check the network and ${setting}.`);
  }
}

/** Without a gem source each lock file names its own. */
function missing(upstream: UpstreamName, name: string, setting: string): CheckResult {
  if (upstream === 'rubygems') return ok(name, 'the one that a lock file names');
  return warn(name, 'none is configured', `Set ${setting}.`);
}

function shown(url: string): string {
  const { origin, pathname } = new URL(url);
  return pathname === '/' ? origin : `${origin}${pathname}`;
}
