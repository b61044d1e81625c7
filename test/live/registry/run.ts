import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClientName, findClient } from './clients.ts';
import { pushOverCutConnection } from './cut-upload.ts';
import { writeFixtureImage } from './fixture-image.ts';
import { SCENARIOS } from './scenarios.ts';
import { type LiveServer, startServer } from './server.ts';

/**
 * The clients that people use against a server as they start it: push, pull, copy, mount, delete, several platforms,
 * attachments. Those that the machine has not are got where that is possible, else skipped, and said to be. Prints one line
 * for each, and one for an upload that no client can be made to do.
 */
async function main(): Promise<void> {
  const workspace = await mkdtemp(join(tmpdir(), 'stowage-clients-'));
  const server = await startServer(join(workspace, 'data'));
  let failures = 0;
  try {
    const step = async (name: string, run: () => Promise<boolean>): Promise<void> => {
      const began = Date.now();
      try {
        const isHere = await run();
        console.log(
          isHere ? `ok - ${name} (${Date.now() - began} ms)` : `skipped - ${name}: not on this machine`,
        );
      } catch (error) {
        failures += 1;
        console.error(`not ok - ${name}: ${(error as Error).message}`);
      }
    };
    for (const name of Object.keys(SCENARIOS) as ClientName[]) {
      await step(name, () => drive(name, server, workspace));
    }
    await step('2 GiB in chunks over a connection that is cut five times', async () => {
      await pushOverCutConnection(server);
      return true;
    });
  } finally {
    await server.stop();
    await rm(workspace, { recursive: true, force: true });
  }
  if (failures > 0) process.exitCode = 1;
}

async function drive(name: ClientName, server: LiveServer, workspace: string): Promise<boolean> {
  const home = join(workspace, name);
  const directory = join(home, 'files');
  await mkdir(directory, { recursive: true });
  const environment: NodeJS.ProcessEnv = {
    ...process.env,
    HOME: home,
    DOCKER_CONFIG: join(home, 'docker'),
    REGISTRY_AUTH_FILE: join(home, 'auth.json'),
    REGCTL_CONFIG: join(home, 'regctl.json'),
    COSIGN_PASSWORD: '',
  };
  const client = await findClient(name, workspace, environment);
  if (!client) return false;
  const image = await writeFixtureImage(join(home, 'layout'));
  await SCENARIOS[name]({ client, server, image, directory });
  return true;
}

await main();
