import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RegistryTarget } from './registry-client.ts';
import type { Stage } from './stage.ts';

export interface CncfDistribution {
  target: RegistryTarget;
  /** Where its files lie. */
  root: string;
}

/** The yardstick: Debian's docker-registry, with the cache of its packaged configuration, and without authentication. */
export async function startCncfDistribution(stage: Stage): Promise<CncfDistribution> {
  const root = await stage.newDirectory();
  const port = await freePort();
  const file = join(root, 'config.yml');
  const config = {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: {
      cache: { blobdescriptor: 'inmemory' },
      filesystem: { rootdirectory: join(root, 'files') },
      delete: { enabled: true },
    },
    http: { addr: `127.0.0.1:${port}` },
  };
  // What is JSON is YAML.
  await writeFile(file, JSON.stringify(config));
  await mkdir(join(root, 'files'));
  const child = spawn('docker-registry', ['serve', file], {
    env: { PATH: process.env.PATH, OTEL_TRACES_EXPORTER: 'none' },
    stdio: 'ignore',
  });
  const failed = once(child, 'error').then(([error]) => Promise.reject(error));
  failed.catch(() => undefined);
  stage.atEnd(async () => {
    const exit = once(child, 'exit');
    if (child.kill('SIGKILL')) await exit;
  });
  const target = { host: '127.0.0.1', port, authorization: null };
  await Promise.race([failed, answers(`http://127.0.0.1:${port}/v2/`)]);
  return { target, root: join(root, 'files') };
}

async function answers(url: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const response = await fetch(url).catch(() => null);
    if (response?.status === 200) return;
    await sleep(50);
  }
  throw new Error('docker-registry does not answer');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
