import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { debianImage } from '../../support/debian-image.ts';
import { startDockerDaemon } from '../../support/docker-daemon.ts';
import { TestRepository } from '../../support/git-repository.ts';
import { type LiveServer, startServer } from '../registry/server.ts';

/**
 * The image of Stowage as an operator gets and runs it: the commit that is checked out is built by Stowage from its own bundle
 * and without network, pulled from its registry, started with nothing writable but its data, used for one bundle and
 * stopped. Prints one line for each step and stops at the first failure.
 */
const ROOT = resolve(import.meta.dirname, '../../..');
const STOWAGE = join(ROOT, 'bin/stowage');
const BASE = 'library/images/debian-stowage:12';
const IMAGE = 'library/images/stowage:live';
const READY_MS = 240_000;
const execute = promisify(execFile);

type Run = (command: string, ...args: string[]) => Promise<string>;

async function main(): Promise<void> {
  await using ending = new AsyncDisposableStack();
  const workspace = await mkdtemp(join(tmpdir(), 'stowage-service-'));
  ending.defer(() => rm(workspace, { recursive: true, force: true }));
  const dataDir = join(workspace, 'data');
  const server = ending.adopt(await startServer(dataDir), (one) => one.stop());

  await step('the base image is pushed', () => pushBase(server));
  await step('Stowage builds itself, from its bundle and without network', () => buildImage(dataDir));

  const engine = join(workspace, 'engine');
  await mkdir(engine);
  const isReady = (address: string) => execute('docker', ['-H', address, 'version']);
  const daemon = ending.adopt(await startDockerDaemon(engine, isReady), (one) => one.stop());
  const docker: Run = (...args) => output('docker', ['-H', daemon.address, ...args], workspace);
  const image = `${server.host}/${IMAGE}`;
  await step('the engine pulls it', async () => {
    await docker('login', '--username', server.user, '--password', server.password, server.host);
    await docker('pull', '--quiet', image);
  });

  const source = await repository();
  ending.defer(() => rm(source, { recursive: true, force: true }));
  const port = await freePort();
  const id = await docker(
    ...(['run', '--detach', '--network', 'host', '--init'] as const),
    ...['--read-only', '--tmpfs', '/tmp', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
    ...['--volume', `${source}:/srv/app:ro`, '--env', `STOWAGE_PORT=${port}`],
    ...['--env', 'STOWAGE_GIT_ALLOWED_PROTOCOLS=file', image],
  );
  ending.defer(async () => {
    await docker('rm', '--force', '--volumes', id);
  });
  const inside: Run = (...args) => docker('exec', id, ...args);
  try {
    await step('it gets ready, as a user that is not root', () => becomeReady(inside));
    await step('one request is bundled in it, and the bundle is verified', () => bundle(inside, port));
    await step('SIGTERM ends it in order', () => end(docker, id));
  } catch (error) {
    console.error(await docker('logs', '--tail', '50', id));
    throw error;
  }
}

async function pushBase({ host, user, password }: LiveServer): Promise<void> {
  await execute('skopeo', [
    ...['copy', '--quiet', '--dest-tls-verify=false', '--dest-creds', `${user}:${password}`],
    ...[`oci:${debianImage()}:base`, `docker://${host}/${BASE}`],
  ]);
}

async function buildImage(dataDir: string): Promise<void> {
  await execute(
    STOWAGE,
    ['build', '--git', ROOT, '--hermetic', '--build-arg', `BASE=${BASE}`, '--tag', IMAGE],
    { env: { ...process.env, STOWAGE_DATA_DIR: dataDir, STOWAGE_PORT: '0' }, maxBuffer: 64 * 1024 * 1024 },
  );
}

async function becomeReady(inside: Run): Promise<void> {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    try {
      await inside('is-ready');
      await inside('stowage', 'workers', '--here');
      break;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await sleep(500);
  }
  equal(await inside('id', '-u'), '10001');
}

async function bundle(inside: Run, port: number): Promise<void> {
  const token = await inside('stowage', 'user', 'token', 'admin', 'live');
  await inside(
    ...(['stowage', 'prefetch', 'file:///srv/app', '--server', `http://127.0.0.1:${port}`] as const),
    ...['--token', token, '--output', '/tmp/bundle.tar.gz'],
  );
  equal((await inside('stowage', 'verify', '/tmp/bundle.tar.gz')).split('\n').at(-1)!, 'ok');
}

async function end(docker: Run, id: string): Promise<void> {
  await docker('stop', '--time', '40', id);
  equal(await docker('inspect', '--format', '{{.State.ExitCode}} {{.State.OOMKilled}}', id), '0 false');
}

/** Of the user of the container: git reads no others. */
async function repository(): Promise<string> {
  const { path } = new TestRepository({
    'package.json': '{"name": "app", "version": "1.0.0"}',
    'package-lock.json': JSON.stringify({
      ...{ name: 'app', version: '1.0.0', lockfileVersion: 3 },
      packages: { '': { name: 'app', version: '1.0.0' } },
    }),
    'index.js': 'console.log(1);',
  });
  await execute('chown', ['-R', '10001:10001', path]);
  return path;
}

async function output(command: string, args: readonly string[], home: string): Promise<string> {
  try {
    const { stdout } = await execute(command, args, {
      env: { ...process.env, HOME: home, DOCKER_CONFIG: join(home, 'docker') },
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout.trim();
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${command} ${args.slice(2, 6).join(' ')} …\n${stdout}${stderr}`);
  }
}

function equal(actual: string, expected: string): void {
  if (actual !== expected) throw new Error(`expected ${expected}, not ${actual}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function step(name: string, work: () => Promise<unknown>): Promise<void> {
  const began = Date.now();
  await work();
  console.log(`ok - ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
}

await main().catch((error: Error) => {
  // What went wrong first, and not what could not be tidied up then.
  for (let cause: unknown = error; cause; cause = (cause as Partial<SuppressedError>).suppressed) {
    console.error(`not ok - ${((cause as Partial<SuppressedError>).error ?? (cause as Error)).message}`);
  }
  process.exitCode = 1;
});
