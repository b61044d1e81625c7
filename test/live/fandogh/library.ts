import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LiveServer } from '../registry/server.ts';
import { openTunnel } from './tunnel.ts';

const execute = promisify(execFile);
const LONGEST_MS = 120_000;

/**
 * The library from npm, unmodified (fandogh.md 3.3): its URL is written in it, so that connections of its process lead
 * to a tunnel of ours. It sends the file before the version, knows no offsets and speaks Persian.
 */
export async function driveLibrary(
  { url, user, password }: LiveServer,
  application: string,
  workspace: string,
): Promise<void> {
  const directory = join(workspace, 'library');
  await mkdir(directory);
  await writeFile(join(directory, 'package.json'), '{}');
  await execute('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', 'fandogh@0.8.0'], {
    cwd: directory,
  });
  const client = await readFile(join(directory, 'node_modules/fandogh/client/index.js'), 'utf8');
  const name = /https:\/\/([^/']+)/.exec(client)![1]!;
  const { tlsPort, authorityFile, close } = await openTunnel(name, url, directory);
  try {
    const use = { directory, port: tlsPort, application, username: user, password };
    const { stdout } = await execute(
      process.execPath,
      [join(import.meta.dirname, 'library-calls.ts'), JSON.stringify(use)],
      { cwd: directory, env: { ...process.env, NODE_EXTRA_CA_CERTS: authorityFile }, timeout: LONGEST_MS },
    );
    process.stdout.write(stdout);
  } finally {
    close();
  }
}
