import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlink } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { BuildFailure } from '../../domain/images/build-failure.ts';

/** Where names are resolved in a network made by {@link OutboundNetwork}: slirp4netns asks the worker's own resolver. */
export const NAME_SERVER = '10.0.2.3';

/** The way out of a network namespace: connections are made by a process without rights, not routed. */
export class OutboundNetwork {
  readonly #slirp: ChildProcess;

  private constructor(slirp: ChildProcess) {
    this.#slirp = slirp;
  }

  /** Throws BuildFailure `builder-unavailable` when there is no slirp4netns or it does not work here. */
  static async attach(child: ChildProcess, ended: Promise<unknown>): Promise<OutboundNetwork> {
    await ownNetwork(child, ended);
    // Descriptor 3 says when it is ready; it ends when 4 is closed, so also when this process dies.
    const slirp = spawn(
      'slirp4netns',
      [
        ...['--configure', '--mtu=65520', '--disable-host-loopback', '--enable-sandbox', '--enable-seccomp'],
        ...['--ready-fd=3', '--exit-fd=4', String(child.pid), 'tap0'],
      ],
      { cwd: '/', stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] },
    );
    let said = '';
    slirp.stderr!.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2000);
    });
    for (const pipe of slirp.stdio) pipe?.on('error', () => undefined);
    const network = new OutboundNetwork(slirp);
    try {
      await Promise.race([
        once(slirp.stdio[3]!, 'data'),
        once(slirp, 'exit').then(() => Promise.reject(new Error(said.trim() || 'it ended'))),
        ended.then(() => Promise.reject(new Error('the build ended'))),
      ]);
      return network;
    } catch (error) {
      network.close();
      throw new BuildFailure(
        'builder-unavailable',
        `Steps cannot have a network: slirp4netns: ${(error as Error).message}`,
        { hint: 'Install slirp4netns on the worker, or build hermetically.', cause: error },
      );
    }
  }

  close(): void {
    this.#slirp.kill('SIGKILL');
  }
}

/** Waits until the process has left our network namespace: it does so before anything else. */
async function ownNetwork(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  let isOver = false;
  void ended.catch(() => undefined).then(() => (isOver = true));
  const ours = await readlink('/proc/self/ns/net');
  while (!isOver) {
    const its = await readlink(`/proc/${child.pid}/ns/net`).catch(() => ours);
    if (its !== ours) return;
    await delay(2);
  }
  throw new BuildFailure('builder-unavailable', 'The namespaces of a build cannot be made here');
}

/** Networks that no step reaches: this machine's addresses, metadata services, and private ranges unless they are allowed. */
export function unreachableNetworks(allowPrivateNetworks: boolean): string[] {
  const own = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => `${address}/32`);
  return [...new Set([...ALWAYS, ...(allowPrivateNetworks ? [] : PRIVATE), ...own])];
}

/** This network (whose addresses mean the sender's), link-local with its metadata services, multicast, and the rest. */
const ALWAYS = ['0.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '240.0.0.0/4'];
const PRIVATE = ['10.0.0.0/8', '100.64.0.0/10', '172.16.0.0/12', '192.168.0.0/16', '198.18.0.0/15'];
