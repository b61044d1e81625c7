import { once } from 'node:events';
import { renameSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { GenericContainer, getContainerRuntimeClient, type StartedTestContainer, Wait } from 'testcontainers';
import { keptOfPackages } from '../support/debian-packages.ts';
import type { ContainerEngine } from './container-engine.ts';

const IMAGE = 'stowage-test/postgres:15';
const PACKAGES = ['postgresql'];

/** What is killed here are processes, not the machine: nothing must be synced for that. */
const START = [
  '[ -s "$PGDATA/PG_VERSION" ] || initdb --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync --pgdata="$PGDATA"',
  'exec postgres -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c max_connections=400 "$@"',
].join('\n');

/** PostgreSQL of Debian in a container, on the network of this machine, since the engine has none. */
export class PostgresContainer {
  readonly port: number;
  readonly #container: StartedTestContainer;

  private constructor(container: StartedTestContainer, port: number) {
    this.#container = container;
    this.port = port;
  }

  static async start(engine: ContainerEngine): Promise<PostgresContainer> {
    const image = keptOfPackages('postgres', PACKAGES, (tar, directory) =>
      renameSync(tar, join(directory, 'root.tar')),
    );
    await engine.importImage(join(image, 'root.tar'), IMAGE);
    const port = await quietPort();
    const container = await new GenericContainer(IMAGE)
      .withNetworkMode('host')
      .withUser('postgres')
      .withEnvironment({
        PATH: '/usr/lib/postgresql/15/bin:/usr/bin:/bin',
        PGDATA: '/var/lib/postgresql/data',
        LC_ALL: 'C',
      })
      .withCommand(['sh', '-c', START, 'sh', '-p', String(port)])
      .withWaitStrategy(Wait.forLogMessage('database system is ready to accept connections'))
      .withStartupTimeout(120_000)
      .start();
    return new PostgresContainer(container, port);
  }

  /** Stopped in order (its clients are sent away), or killed as by a machine that loses its power; then started. */
  async restart(how: 'SIGINT' | 'SIGKILL'): Promise<void> {
    const { container } = await getContainerRuntimeClient();
    const running = container.getById(this.#container.getId());
    await running.kill({ signal: how });
    await running.wait({ condition: 'not-running' });
    await untilDone(() => running.start());
    await this.#answers();
  }

  async #answers(): Promise<void> {
    const connectionString = `postgresql://postgres@127.0.0.1:${this.port}/postgres`;
    await untilDone(async () => {
      const client = new pg.Client({ connectionString, connectionTimeoutMillis: 2_000 });
      client.on('error', () => undefined);
      await client.connect();
      await client.end();
    });
  }

  async stop(): Promise<void> {
    await this.#container.stop();
  }
}

/** The engine still puts away what has ended, or the server still looks through its log. */
async function untilDone(attempt: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await sleep(50);
  }
}

/** One that the kernel gives to nobody's outgoing connection (Linux: from 32768 on) while the server is away. */
async function quietPort(): Promise<number> {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    server.close();
    if (isFree) return port;
  }
}
