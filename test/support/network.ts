import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

const canCutNetwork = (() => {
  try {
    execFileSync('unshare', ['-n', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** A command that runs without any network, where the machine allows to take it away. */
export function withoutNetwork(program: string, ...args: string[]): [program: string, args: string[]] {
  return canCutNetwork ? ['unshare', ['-n', program, ...args]] : [program, args];
}

/** Listens on loopback. */
export async function listen(server: Server, port = 0): Promise<void> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
}

/** Variables with which a client reaches loopback, and everything else through a proxy that is not there. */
export async function closedProxies(): Promise<Record<string, string>> {
  const server = createServer();
  await listen(server);
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const proxy = `http://127.0.0.1:${port}`;
  const [none, lower] = ['127.0.0.1', { http_proxy: proxy, https_proxy: proxy, all_proxy: proxy }];
  const upper = Object.fromEntries(Object.entries(lower).map(([name, value]) => [name.toUpperCase(), value]));
  return { ...lower, ...upper, no_proxy: none, NO_PROXY: none };
}
