import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type LiveServer, startServer } from '../registry/server.ts';
import { application } from './application.ts';
import { driveFaults } from './faults.ts';
import { type FandoghCli, installCli, type Run } from './install-cli.ts';
import { driveLibrary } from './library.ts';
import { reach, VERSIONS } from './reach.ts';

const execute = promisify(execFile);

/**
 * The Fandogh CLI from PyPI and the library from npm, unmodified, against a server as an operator starts it (fandogh.md
 * 5): from logging in to an image that skopeo pulls, and through what may go wrong meanwhile. Prints one line for each
 * step and stops at the first that fails.
 */
async function main(): Promise<void> {
  const workspace = await mkdtemp(join(tmpdir(), 'stowage-fandogh-'));
  const server = await startServer(join(workspace, 'data'));
  try {
    for (const version of VERSIONS) {
      const cli = await installCli(version, workspace);
      const { environment, close } = await reach(version, server.url, join(workspace, `home-${version}`));
      try {
        await drive(version, server, workspace, (directory, ...args) => cli(directory, environment, ...args));
      } finally {
        close();
      }
      if (version === '1.26.10') await driveFaults(cli, workspace);
    }
    const app = await application(join(workspace, 'library-app'), 'CMD ["/bin/busybox", "true"]');
    await driveLibrary(server, app, workspace);
    await runs(server, `${server.user}/images/from-npm:v1`, workspace, '');
  } finally {
    await server.stop();
    await rm(workspace, { recursive: true, force: true });
  }
}

type Client = (directory: string, ...args: string[]) => ReturnType<FandoghCli>;

async function drive(version: string, server: LiveServer, workspace: string, client: Client): Promise<void> {
  const image = `my-app-${version.replaceAll('.', '-')}`;
  const app = await application(join(workspace, image), 'CMD ["/bin/busybox", "echo", "it runs"]');
  const broken = join(workspace, `broken-${version}`);
  await application(broken, 'RUN ["/bin/busybox", "false"]');
  const step = async (
    directory: string,
    args: string[],
    status: number,
    ...texts: string[]
  ): Promise<Run> => {
    const run = await client(directory, ...args);
    const missing = texts.filter((text) => !run.output.includes(text));
    if (run.status !== status || missing.length > 0) {
      throw new Error(
        `fandogh ${args.join(' ')}: exit status ${run.status}, without ${missing}\n${run.output}`,
      );
    }
    console.log(`ok - ${version}: ${args.slice(0, 2).join(' ')} (${status})`);
    return run;
  };
  const { user, password } = server;
  const one = ['--image', image];

  await step(app, ['login', '--username', user, '--password', 'wrong'], 102, 'Username or password is wrong');
  await step(app, ['login', '--username', user, '--password', password], 0, 'Logged in successfully');
  await step(app, ['image', 'init', '--name', image], 0, 'Image created successfully');
  await step(app, ['image', 'init', '--name', image], 0, 'already have an image');
  await step(app, ['image', 'publish', '--version', 'v1'], 0, 'workspace is ready.', 'Image has been pushed');
  await step(app, ['image', 'publish', '--version', 'v1'], 102, 'You already have a successful image');
  await runs(server, `${server.user}/images/${image}:v1`, workspace, 'it runs\n');

  await step(broken, ['image', 'init', '--name', image], 0);
  await step(broken, ['image', 'publish', '--version', 'v2'], 201, 'workspace is ready.');
  const logs = await step(app, ['image', 'logs', ...one, '--version', 'v1', '--with_timestamp'], 0);
  if (!/^\d{4}-\d\d-\d\dT[\d:.]+Z workspace is ready\.$/m.test(logs.output)) throw new Error(logs.output);
  await step(app, ['image', 'list'], 0, image, 'v2');
  await step(app, ['image', 'versions', ...one], 0, 'BUILT', 'FAILED');
  await step(app, ['image', 'delete', ...one], 0, 'Image Deleted Successfully');
  await step(app, ['image', 'versions', ...one], 102, `Image with name ${image} does not exist.`);
}

/** Pulls an image and runs its command in its files. */
async function runs(
  { host, user, password }: LiveServer,
  name: string,
  workspace: string,
  output: string,
): Promise<void> {
  const pulled = join(workspace, `pulled-${name.replaceAll(/\W/g, '-')}`);
  await execute('skopeo', [
    ...['copy', '--quiet', '--insecure-policy', '--src-tls-verify=false'],
    ...['--src-creds', `${user}:${password}`, `docker://${host}/${name}`, `dir:${pulled}`],
  ]);
  const manifest = JSON.parse(await readFile(join(pulled, 'manifest.json'), 'utf8')) as {
    layers: { digest: string }[];
  };
  const root = join(pulled, 'root');
  await mkdir(root);
  for (const { digest } of manifest.layers) {
    await execute('tar', ['-xf', join(pulled, digest.replace('sha256:', '')), '-C', root]);
  }
  const inspected = await execute('skopeo', ['inspect', '--config', `dir:${pulled}`]);
  const { config } = JSON.parse(inspected.stdout) as { config: { Cmd: string[] } };
  const { stdout } = await execute('unshare', ['--net', 'chroot', root, ...config.Cmd]);
  assert.equal(stdout, output);
  console.log(`ok - skopeo pulls ${name}, and it runs`);
}

await main();
