import { type Database, openDatabase } from '../src/domain/database/database.ts';
import { addUser } from '../src/domain/identity/accounts.ts';
import { addToken } from '../src/domain/identity/tokens.ts';
import { type Service, startService } from './child-process.ts';
import type { RegistryTarget } from './registry-client.ts';
import type { Stage } from './stage.ts';

export interface RegistryStack {
  database: Database;
  target: RegistryTarget;
  gateways: Service[];
}

/** Gateways that share a port on an empty database and an empty store; the client has a token as docker gets it. */
export async function startRegistry(stage: Stage, gatewayProcesses: number): Promise<RegistryStack> {
  const databaseUrl = await stage.newDatabase();
  const environment = {
    STOWAGE_DATA_DIR: await stage.newDirectory(),
    DATABASE_URL: databaseUrl,
    STOWAGE_GATEWAY_PROCESSES: String(gatewayProcesses),
  };
  const first = await startService(stage, 'gateway', { ...environment, STOWAGE_PORT: '0' });
  const { hostname: host, port } = new URL(first.url!);
  const others = Array.from({ length: gatewayProcesses - 1 }, () =>
    startService(stage, 'gateway', { ...environment, STOWAGE_PORT: port }),
  );
  const database = await openDatabase({ url: databaseUrl, connections: 2 });
  stage.atEnd(() => database.close());
  await addUser(database, { name: 'bench', isAdmin: true });
  const { secret } = await addToken(database, { userName: 'bench', name: 'bench' });
  const authorization = await dockerToken(first.url!, secret);
  return {
    database,
    gateways: [first, ...(await Promise.all(others))],
    target: { host, port: Number(port), authorization },
  };
}

const SCOPES = ['large', 'small', 'read', 'listed'].map(
  (name) => `repository:bench/images/${name}:pull,push`,
);

async function dockerToken(url: string, secret: string): Promise<string> {
  const query = new URLSearchParams([
    ['service', 'bkrepo'],
    ...[...SCOPES, 'registry:catalog:*'].map((scope) => ['scope', scope]),
  ]);
  const basic = Buffer.from(`bench:${secret}`).toString('base64');
  const response = await fetch(`${url}/v2/token?${query}`, { headers: { authorization: `Basic ${basic}` } });
  if (!response.ok) throw new Error(`no token: ${response.status} ${await response.text()}`);
  return `Bearer ${((await response.json()) as { token: string }).token}`;
}
