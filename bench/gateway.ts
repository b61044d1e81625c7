import { addUser } from '../src/domain/identity/accounts.ts';
import { addToken } from '../src/domain/identity/tokens.ts';
import { type Service, startService } from './child-process.ts';
import type { PrefetchStack } from './prefetch-stack.ts';
import type { Stage } from './stage.ts';

export interface Gateway {
  url: string;
  token: string;
  service: Service;
}

/** A gateway process beside the worker of a stack, and a token for it. */
export async function startGateway(stage: Stage, stack: PrefetchStack): Promise<Gateway> {
  const { database, databaseUrl, dataDir } = stack;
  const service = await startService(stage, 'gateway', {
    STOWAGE_DATA_DIR: dataDir,
    DATABASE_URL: databaseUrl,
    STOWAGE_PORT: '0',
  });
  await addUser(database, { name: 'bench', isAdmin: true });
  const { secret } = await addToken(database, { userName: 'bench', name: 'bench' });
  return { url: service.url!, token: secret, service };
}
