import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import type { Server } from 'node:http';

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
