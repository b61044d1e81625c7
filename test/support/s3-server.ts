import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe } from 'vitest';
import type { S3Location } from '../../src/domain/storage/s3-bucket.ts';

/** versitygw on loopback, with one bucket. Its objects lie in a directory, by their keys. */
export interface S3Server {
  url: string;
  bucket: string;
  /** Goes when the server is stopped. */
  directory: string;
  /** What a process needs to use it as its store. */
  environment(prefix?: string): Record<string, string>;
  location(prefix?: string): S3Location;
  /** Names of all objects below a prefix, and of parts of uploads that are not complete. */
  objects(prefix?: string): Promise<string[]>;
  /** Without notice, as a machine that loses its power. */
  kill(): Promise<void>;
  /** Again, on the same port and directory. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const BUILD = join(import.meta.dirname, 'build-versitygw');
const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'stowage', AWS_SECRET_ACCESS_KEY: 'stowage-secret' };

const missing = await promisify(execFile)(BUILD, ['--if-built']).then(
  () => null,
  () => `versitygw is not built (${BUILD} builds it)`,
);
if (missing) process.stderr.write(`skipped, S3: ${missing}\n`);

/** Tests that need the server; without it they are left out, and the reason was printed above. CI builds it first. */
export const describeWithS3 = describe.skipIf(missing !== null);
export const hasS3 = missing === null;

/** Also makes this process know the credentials. */
export async function startS3Server(): Promise<S3Server> {
  const { stdout } = await promisify(execFile)(BUILD);
  const directory = await mkdtemp(join(tmpdir(), 'stowage-s3-'));
  const port = await freePort();
  const bucket = 'stowage';
  const objects = join(directory, 'objects');
  await mkdir(join(objects, bucket), { recursive: true });
  Object.assign(process.env, CREDENTIALS);
  const url = `http://127.0.0.1:${port}`;
  let stop = async (): Promise<void> => undefined;
  const start = async (): Promise<void> => {
    const server = spawn(
      stdout.trim(),
      [
        '--quiet',
        '--keep-alive',
        '--port',
        `127.0.0.1:${port}`,
        'posix',
        '--sidecar',
        await made(directory, 'sidecar'),
        objects,
      ],
      {
        env: {
          ...process.env,
          ROOT_ACCESS_KEY: CREDENTIALS.AWS_ACCESS_KEY_ID,
          ROOT_SECRET_KEY: CREDENTIALS.AWS_SECRET_ACCESS_KEY,
        },
        stdio: 'ignore',
      },
    );
    const ended = once(server, 'close');
    stop = async () => {
      server.kill('SIGKILL');
      await ended;
    };
    await listening(port, AbortSignal.timeout(10_000));
  };
  await start();
  return {
    url,
    bucket,
    directory,
    environment: (prefix = 'blobs') => ({
      ...CREDENTIALS,
      STOWAGE_BLOB_STORE: `s3://${bucket}/${prefix}`,
      STOWAGE_S3_ENDPOINT: url,
    }),
    location: (prefix = 'blobs') => ({ bucket, prefix: `${prefix}/`, endpoint: url }),
    async objects(prefix = 'blobs') {
      const entries = await readdir(join(objects, bucket), { recursive: true, withFileTypes: true });
      const top = join(objects, bucket);
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(top.length + 1))
        .filter((key) => key.startsWith(`${prefix}/`) || key.startsWith('.sgwtmp/multipart'));
    },
    kill: () => stop(),
    start,
    async stop() {
      await stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function made(parent: string, name: string): Promise<string> {
  await mkdir(join(parent, name), { recursive: true });
  return join(parent, name);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function listening(port: number, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const socket = connect(port, '127.0.0.1');
    const isUp = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (isUp) return;
    await sleep(20, undefined, { signal });
  }
}
