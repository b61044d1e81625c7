import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { prepareDatabase } from '../../src/cli/prepare-database.ts';
import { Signer } from '../../src/domain/bundles/signing.ts';
import { type Database, openDatabase } from '../../src/domain/database/database.ts';
import { addUser } from '../../src/domain/identity/accounts.ts';
import { SYSTEM } from '../../src/domain/identity/principal.ts';
import { createProject, setProjectMember } from '../../src/domain/identity/projects.ts';
import { addToken } from '../../src/domain/identity/tokens.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';
import { startContainerEngine } from './container-engine.ts';
import { PostgresContainer } from './postgres-container.ts';
import { ServiceProcess } from './service-process.ts';
import { TcpProxy } from './tcp-proxy.ts';

export const PASSWORD = 'correct horse battery';

/** What an operator has who scales out: processes on as many machines, one PostgreSQL, one S3, one load balancer. */
export interface Deployment {
  /** Of the load balancer. */
  url: string;
  /** Of `ada`, a developer of the project `apps`. */
  token: string;
  gateways: ServiceProcess[];
  workers: ServiceProcess[];
  postgres: PostgresContainer;
  s3: S3Server;
  /** Between the processes, or their clients, and what they talk to. */
  proxies: Record<'database' | 's3' | 'gateways', TcpProxy>;
  /** Straight to the server, for a look at what is there. */
  database: Database;
  /** Data directories of the processes lie in it, by their names. */
  directory: string;
  /** Ends the processes in order. What they used stays until {@link close}. */
  endProcesses(): Promise<void>;
  close(): Promise<void>;
}

interface Size {
  gateways: number;
  workers: number;
}

export async function startDeployment(
  { gateways, workers }: Size,
  environment: Record<string, string>,
): Promise<Deployment> {
  await using starting = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'stowage-topology-'));
  starting.defer(() => rm(directory, { recursive: true, force: true }));
  const engine = starting.adopt(await startContainerEngine(), (one) => one.stop());
  const postgres = starting.adopt(await PostgresContainer.start(engine), (one) => one.stop());
  const s3 = starting.adopt(await startS3Server(), (one) => one.stop());

  const listen = async (targets: () => readonly number[]): Promise<TcpProxy> =>
    starting.adopt(await TcpProxy.listen(targets), (one) => one.close());
  const s3Port = Number(new URL(s3.url).port);
  const proxies = {
    database: await listen(() => [postgres.port]),
    s3: await listen(() => [s3Port]),
    gateways: await listen(() => all.gateways.flatMap(({ port }) => port ?? [])),
  };
  const databaseUrl = await createDatabase(postgres.port);
  const database = starting.adopt(await openDatabase({ url: databaseUrl, connections: 4 }), (one) =>
    one.close(),
  );
  const token = await populate(database);

  const url = `http://127.0.0.1:${proxies.gateways.port}`;
  const shared = {
    ...s3.environment(),
    DATABASE_URL: withPort(databaseUrl, proxies.database.port),
    STOWAGE_S3_ENDPOINT: withPort(s3.url, proxies.s3.port),
    STOWAGE_REGISTRY_URL: url,
    STOWAGE_PORT: '0',
    ...environment,
  };
  const processOf = (kind: 'gateway' | 'worker') => (_: unknown, index: number) => {
    const name = `${kind}-${index + 1}`;
    return new ServiceProcess(kind, name, { ...shared, STOWAGE_DATA_DIR: join(directory, name) });
  };
  const all: Pick<Deployment, 'gateways' | 'workers'> = {
    gateways: Array.from({ length: gateways }, processOf('gateway')),
    workers: Array.from({ length: workers }, processOf('worker')),
  };
  const processes = [...all.gateways, ...all.workers];
  await shareKey(directory, processes);
  starting.defer(async () => {
    await Promise.all(processes.map((process) => process.kill()));
  });
  await Promise.all(processes.map((process) => process.start()));

  const started = starting.move();
  return {
    ...all,
    ...{ url, token, postgres, s3, proxies, database, directory },
    async endProcesses() {
      await Promise.all(processes.map((process) => process.end('SIGTERM')));
    },
    close: () => started.disposeAsync(),
  };
}

async function createDatabase(port: number): Promise<string> {
  const client = new pg.Client({ connectionString: `postgresql://postgres@127.0.0.1:${port}/postgres` });
  await client.connect();
  await client.query('create database stowage');
  await client.end();
  const url = `postgresql://postgres@127.0.0.1:${port}/stowage`;
  await prepareDatabase(url);
  return url;
}

async function populate(database: Database): Promise<string> {
  await addUser(database, { name: 'ada', password: PASSWORD });
  await createProject(database, SYSTEM, { name: 'apps' });
  await setProjectMember(database, SYSTEM, { projectName: 'apps', userName: 'ada', role: 'owner' });
  const { secret } = await addToken(database, { userName: 'ada', name: 'load', scopes: ['read', 'write'] });
  return secret;
}

/** Every machine has its own data directory, with the same key (docs/operations.md, "The data directory"). */
async function shareKey(directory: string, processes: readonly ServiceProcess[]): Promise<void> {
  await Signer.open(join(directory, 'first'));
  for (const { name } of processes) {
    await mkdir(join(directory, name));
    await cp(join(directory, 'first', 'keys'), join(directory, name, 'keys'), { recursive: true });
  }
  await rm(join(directory, 'first'), { recursive: true });
}

function withPort(text: string, port: number): string {
  const url = new URL(text);
  url.port = String(port);
  return url.href;
}
