import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

export type ClientName =
  | 'skopeo'
  | 'crane'
  | 'oras'
  | 'regctl'
  | 'helm'
  | 'cosign'
  | 'buildah'
  | 'podman'
  | 'docker';

/** Runs a client; gives what it prints. Throws with everything that it said. */
export type Client = (...args: string[]) => Promise<string>;

/** Built from their sources: Debian has no packages of these. Building cosign takes too long: it is used where it is. */
const GO_MODULES: Partial<Record<ClientName, { module: string; version: string; command: string }>> = {
  crane: {
    module: 'github.com/google/go-containerregistry',
    version: 'latest',
    command: 'github.com/google/go-containerregistry/cmd/crane',
  },
  oras: { module: 'oras.land/oras', version: 'v1.2.3', command: 'oras.land/oras/cmd/oras' },
  regctl: {
    module: 'github.com/regclient/regclient',
    version: 'latest',
    command: 'github.com/regclient/regclient/cmd/regctl',
  },
};

/** null: this machine does not have it, and cannot get it. */
export async function findClient(
  name: ClientName,
  workspace: string,
  environment: NodeJS.ProcessEnv,
): Promise<Client | null> {
  const path = (await pathOf(name)) ?? (name === 'helm' ? await builtHelm() : await built(name, workspace));
  if (path === null || !(await canRun(name))) return null;
  return async (...args) => {
    try {
      const { stdout } = await execute(path, args, { env: environment, maxBuffer: 64 * 1024 * 1024 });
      return stdout.trim();
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      throw new Error(`${name} ${args.join(' ')}\n${stdout}${stderr}`);
    }
  };
}

/** docker is nothing without its daemon, which only root can start. */
async function canRun(name: ClientName): Promise<boolean> {
  return name !== 'docker' || (process.getuid?.() === 0 && (await pathOf('dockerd')) !== null);
}

async function pathOf(name: string): Promise<string | null> {
  try {
    return (await execute('sh', ['-c', `command -v ${name}`])).stdout.trim();
  } catch {
    return null;
  }
}

/** Kept outside of the repository: the tests of the chart need it too. */
async function builtHelm(): Promise<string | null> {
  try {
    return (await execute(join(import.meta.dirname, '../../support/build-helm'))).stdout.trim();
  } catch (error) {
    console.log(`# helm cannot be built here: ${(error as Error).message.split('\n').at(1) ?? ''}`);
    return null;
  }
}

async function built(name: ClientName, workspace: string): Promise<string | null> {
  const source = GO_MODULES[name];
  if (!source || (await pathOf('go')) === null) return null;
  const directory = join(workspace, `build-${name}`);
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'go.mod'), 'module build\n\ngo 1.21\n');
  const go = (...args: string[]) => execute('go', args, { cwd: directory, maxBuffer: 64 * 1024 * 1024 });
  const path = join(directory, 'bin', name);
  try {
    await go('get', `${source.module}@${source.version}`);
    // What it needs is found in the module: nobody is asked for modules with the names of its directories.
    await go('build', '-mod=mod', '-o', path, source.command);
    return path;
  } catch (error) {
    console.log(`# ${name} cannot be built here: ${(error as Error).message.split('\n').at(1) ?? ''}`);
    return null;
  }
}
