import { execFile } from 'node:child_process';
import type { UpstreamName } from '../image-reference.ts';

/** How the container tools of this machine understand the name of an image. */
export interface ToolsAnswer {
  /** In full: where a name without a host is looked for. */
  name: UpstreamName;
  /** Where the registry's `/v2` is: not always where its name says. */
  endpoint: string;
}

/** null: they do not say. */
export type AskTools = (name: string) => Promise<ToolsAnswer | null>;

const SECONDS = 10;
/** Nobody listens there: skopeo says where it would go, and does not get there. */
const NOWHERE = 'http://127.0.0.1:1';

/**
 * Asks skopeo, which knows its own registries.conf, short names, and the registries that are served under another name.
 * It says what it is about to do before it fails for want of a network.
 */
export async function askSkopeo(name: string): Promise<ToolsAnswer | null> {
  const said = await new Promise<string>((resolve) => {
    const { HTTPS_PROXY: _upper, NO_PROXY: _none, no_proxy: _no, ...environment } = process.env;
    const proxies = { HTTPS_PROXY: NOWHERE, https_proxy: NOWHERE, HTTP_PROXY: NOWHERE, http_proxy: NOWHERE };
    execFile(
      'skopeo',
      ['--debug', '--command-timeout', `${SECONDS}s`, 'inspect', '--raw', '--no-creds', `docker://${name}`],
      { env: { ...environment, ...proxies }, timeout: SECONDS * 1000, maxBuffer: 1024 * 1024 },
      (_error, _stdout, stderr) => resolve(stderr),
    );
  });
  const [, host, path] =
    /Trying to access \\?"([^"/\\]+)\/([^"\\@]+?)(?::[\w][\w.-]*)?(?:@[^"\\]*)?\\?"/.exec(said) ?? [];
  const [, endpoint] = /msg="GET (https?:\/\/[^/"\s]+)\/v2\/"/.exec(said) ?? [];
  return host && path && endpoint ? { name: { host, path }, endpoint } : null;
}
