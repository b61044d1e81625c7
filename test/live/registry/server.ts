import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = resolve(import.meta.dirname, '../../..');

export interface LiveServer {
  /** Host and port, as clients write it in front of names. */
  host: string;
  url: string;
  user: string;
  password: string;
  /** Of the user, for calls without a client. */
  authorization: string;
  stop(): Promise<void>;
}

/** The server as an operator starts it, with data of its own. */
export async function startServer(dataDir: string, port = '0'): Promise<LiveServer> {
  const child = spawn(join(ROOT, 'bin/stowage'), ['serve'], {
    env: { ...process.env, STOWAGE_DATA_DIR: dataDir, STOWAGE_PORT: port },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await readyUrl(child);
  const user = 'admin';
  const password = (await readFile(join(dataDir, 'admin-password'), 'utf8')).trim();
  return {
    url,
    host: new URL(url).host,
    user,
    password,
    authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function readyUrl(child: ChildProcess): Promise<string> {
  const lines = createInterface({ input: child.stdout! });
  for await (const line of lines) {
    const url = /ready on (http:\/\/\S+)/.exec(line)?.[1];
    if (!url) continue;
    // Nobody else reads what it says from here on.
    child.stdout!.resume();
    return url;
  }
  throw new Error('the server did not start');
}
