import { mkdir } from 'node:fs/promises';
import { openTunnel } from './tunnel.ts';

export const VERSIONS = ['1.22.5', '1.26.10'] as const;

/**
 * The environment of a client, with a new home, that is told where the server is: the older one takes any URL, the newer
 * one a name behind TLS.
 */
export async function reach(
  version: (typeof VERSIONS)[number],
  url: string,
  home: string,
): Promise<{ environment: NodeJS.ProcessEnv; close: () => void }> {
  await mkdir(home);
  const environment = {
    PATH: process.env.PATH,
    HOME: home,
    TZ: 'UTC',
    COLLECT_ERROR: 'no',
    LC_ALL: 'C.UTF-8',
  };
  if (version === '1.22.5') {
    return { environment: { ...environment, FANDOGH_HOST: url }, close: () => undefined };
  }
  const tunnel = await openTunnel('api.fandogh.test', url, home);
  const names = { FANDOGH_HOST: 'fandogh.test', HTTPS_PROXY: tunnel.proxyUrl };
  return {
    environment: { ...environment, ...names, REQUESTS_CA_BUNDLE: tunnel.authorityFile },
    close: tunnel.close,
  };
}
