import type { Settings } from '../../domain/config.ts';
import { readUpstream } from '../../workers/ecosystems/pip/upstream.ts';
import { readRegistries } from '../../workers/javascript-packages/registries.ts';
import { addressOf } from '../../workers/status/upstreams.ts';
import { type CheckResult, ok, reason, warn } from './check.ts';
import { goEnvironment } from './tools.ts';

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

export async function npmUpstream(settings: Settings): Promise<CheckResult> {
  return await upstream('npm registry', 'STOWAGE_NPM_REGISTRY or .npmrc', async () => {
    const registries = await readRegistries(settings);
    return { url: registries.upstream, headers: registries.headersFor(registries.upstream) };
  });
}

export async function pipUpstream(settings: Settings): Promise<CheckResult> {
  return await upstream('Python index', 'STOWAGE_PYPI_INDEX or pip.conf', async () => {
    const { index, headersFor } = await readUpstream(settings);
    // One small page instead of the list of all projects.
    const url = new URL('pip/', index).href;
    return { url, headers: headersFor(url) };
  });
}

export async function goUpstream(settings: Settings): Promise<CheckResult> {
  return await upstream('Go module proxy', 'STOWAGE_GOPROXY or GOPROXY', async () => {
    const setting = settings.goproxy ?? (await goEnvironment('GOPROXY'));
    const first = (setting ?? '').split(/[,|]/).find((entry) => /^https?:/.test(entry));
    return first === undefined ? null : { url: first, headers: {} };
  });
}

export async function gemUpstream(settings: Settings): Promise<CheckResult> {
  const source = await addressOf('rubygems', settings);
  if (source === null) return ok('gem source', 'the one that a lock file names');
  return await upstream('gem source', 'STOWAGE_RUBYGEMS_SOURCE or .gemrc', async () => source);
}

/** Any answer will do: whether a name is served is a matter of the request. */
async function upstream(
  name: string,
  setting: string,
  find: () => Promise<{ url: string; headers: Record<string, string> } | null>,
): Promise<CheckResult> {
  let url = '';
  try {
    const target = await find();
    if (target === null) return warn(name, 'none is configured', `Set ${setting}.`);
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

function shown(url: string): string {
  const { origin, pathname } = new URL(url);
  return pathname === '/' ? origin : `${origin}${pathname}`;
}
