import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { startDockerDaemon } from '../support/docker-daemon.ts';

const run = promisify(execFile);

/** A Docker engine of our own, which testcontainers finds by the environment of this process. */
export interface ContainerEngine {
  /** Makes an image of the archive of a root file system: no registry can be reached. */
  importImage(tar: string, name: string): Promise<void>;
  stop(): Promise<void>;
}

/** Programs and the Debian packages that bring them. */
const PROGRAMS = { dockerd: 'docker.io', docker: 'docker.io', runc: 'runc', mmdebstrap: 'mmdebstrap' };

/** Throws an error that says what is missing. */
export async function startContainerEngine(): Promise<ContainerEngine> {
  requireEngine();
  const directory = await mkdtemp(join(tmpdir(), 'stowage-engine-'));
  const daemon = await startDockerDaemon(directory, (address) => run('docker', ['-H', address, 'version']));
  process.env.DOCKER_HOST = daemon.address;
  // Also where this machine is a container itself: the engine has no network by which to find out.
  process.env.TESTCONTAINERS_HOST_OVERRIDE = '127.0.0.1';
  // Its image is in a registry.
  process.env.TESTCONTAINERS_RYUK_DISABLED = 'true';
  return {
    async importImage(tar, name) {
      await run('docker', ['-H', daemon.address, 'import', tar, name]);
    },
    async stop() {
      await daemon.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function requireEngine(): void {
  const missing = Object.entries(PROGRAMS).filter(([program]) => !isInstalled(program));
  if (process.getuid?.() !== 0) throw new Error('The container tests must run as root: they start an engine');
  if (missing.length === 0) return;
  const programs = missing.map(([program]) => program).join(', ');
  const packages = [...new Set(missing.map(([, name]) => name))].join(' ');
  throw new Error(`The container tests need ${programs}: apt-get install ${packages}`);
}

function isInstalled(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
