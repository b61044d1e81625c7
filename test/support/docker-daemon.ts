import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const execute = promisify(execFile);

export interface DockerDaemon {
  /** For `DOCKER_HOST`. */
  address: string;
  stop(): Promise<void>;
}

const DEADLINE_MS = 30_000;

/** A daemon of our own, without a network; it speaks plain HTTP to registries on loopback by itself. */
export async function startDockerDaemon(
  directory: string,
  isReady: (address: string) => Promise<unknown>,
): Promise<DockerDaemon> {
  const socket = join(directory, 'docker.sock');
  const address = `unix://${socket}`;
  const child = spawn(
    'dockerd',
    [
      ...['--data-root', join(directory, 'lib'), '--exec-root', join(directory, 'exec')],
      ...['--pidfile', join(directory, 'dockerd.pid'), '-H', address],
      ...['--iptables=false', '--bridge=none', '--log-level=error'],
    ],
    { stdio: 'ignore' },
  );
  await ready(child, () => isReady(address));
  return {
    address,
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
      await unmountBelow(directory);
    },
  };
}

/** The engine leaves the network namespace of its containers mounted. */
async function unmountBelow(directory: string): Promise<void> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.filter((path) => path.startsWith(`${directory}/`)))
    await execute('umount', [mount]);
}

async function ready(child: ChildProcess, check: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    try {
      await check();
      return;
    } catch (error) {
      if (Date.now() > deadline || child.exitCode !== null) throw error;
    }
    await sleep(200);
  }
}
