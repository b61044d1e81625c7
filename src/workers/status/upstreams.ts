import type { Settings } from '../../domain/config.ts';
import { MANAGERS_OF_UPSTREAM } from '../../domain/status/system-status.ts';
import { readGoConfiguration } from '../ecosystems/gomod/go-configuration.ts';
import { readUpstream as readGoUpstream } from '../ecosystems/gomod/upstream.ts';
import { readUpstream as readPythonUpstream } from '../ecosystems/pip/upstream.ts';
import { CONTRACT_REMOTE } from '../ecosystems/rubygems/classify.ts';
import { readUpstream as readGemUpstream } from '../ecosystems/rubygems/upstream.ts';
import { readRegistries } from '../javascript-packages/registries.ts';

export type UpstreamName = keyof typeof MANAGERS_OF_UPSTREAM;

/** What is asked to see whether an upstream answers. */
export interface UpstreamAddress {
  url: string;
  headers: Record<string, string>;
}

/** Where upstreams are, by the same configuration as the package managers read; null: none is configured. */
const ADDRESSES: Record<UpstreamName, (settings: Settings) => Promise<UpstreamAddress | null>> = {
  'npm-registry': async (settings) => {
    const { upstream, headersFor } = await readRegistries(settings);
    return { url: upstream, headers: headersFor(upstream) };
  },
  pypi: async (settings) => {
    const { index, headersFor } = await readPythonUpstream(settings);
    // One small page instead of the list of all projects.
    const { href } = new URL('pip/', index);
    return { url: href, headers: headersFor(href) };
  },
  'go-proxy': async (settings) => {
    const { proxies } = await readGoUpstream(
      await readGoConfiguration(settings),
      settings.allowPrivateNetworks,
    );
    return proxies[0] ?? null;
  },
  rubygems: async (settings) => {
    const { url, headersFor } = (await readGemUpstream(settings)).sourceFor(CONTRACT_REMOTE);
    // What lock files name themselves is nobody's configuration.
    return url === CONTRACT_REMOTE ? null : { url, headers: headersFor(url) };
  },
};

/** Throws what the package manager's own reader throws, e.g. for a client that is not installed. */
export async function addressOf(name: UpstreamName, settings: Settings): Promise<UpstreamAddress | null> {
  return await ADDRESSES[name](settings);
}

/** Those that an enabled package manager needs. */
export function neededUpstreams({ packageManagers }: Pick<Settings, 'packageManagers'>): UpstreamName[] {
  return (Object.keys(ADDRESSES) as UpstreamName[]).filter((name) =>
    MANAGERS_OF_UPSTREAM[name].some((manager) => packageManagers.includes(manager)),
  );
}
