import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { readSettings, type Settings } from '../../domain/config.ts';
import { type Database, openDatabase } from '../../domain/database/database.ts';
import { ConflictError } from '../../domain/errors.ts';
import { addUser } from '../../domain/identity/accounts.ts';
import { SYSTEM } from '../../domain/identity/principal.ts';
import { createProject, setProjectMember } from '../../domain/identity/projects.ts';
import { addToken } from '../../domain/identity/tokens.ts';
import { User } from '../../domain/identity/user.ts';
import { type ProcessTree, startProcessTree } from '../supervisor.ts';

/** A whole server for one command: on loopback, on a free port, with a token that ends with it. */
export interface LocalServer {
  url: string;
  token: string;
  /** Makes the command's user an owner of the project: who has the data directory has all that is in it. */
  ownProject(name: string): Promise<void>;
  stop(): Promise<void>;
}

/** Whom the requests of local commands belong to; it cannot log in. */
const LOCAL_USER = 'local';
const TOKEN_PREFIX = 'prefetch-';
const TOKEN_LIFETIME_MS = 24 * 3_600_000;
const LONGEST_LOG = 16 * 1024 * 1024;

export async function startLocalServer(options: { allowLocalRepositories: boolean }): Promise<LocalServer> {
  const environment: NodeJS.ProcessEnv = {
    ...process.env,
    STOWAGE_HOST: '127.0.0.1',
    STOWAGE_PORT: '0',
  };
  delete environment.STOWAGE_PUBLIC_URL;
  if (options.allowLocalRepositories) {
    const { gitAllowedProtocols } = readSettings();
    environment.STOWAGE_GIT_ALLOWED_PROTOCOLS = [...new Set([...gitAllowedProtocols, 'file'])].join(',');
  }
  const settings = readSettings(environment);
  await mkdir(settings.dataDir, { recursive: true });
  const log = await openLog(settings);
  try {
    const tree = await startProcessTree({
      settings,
      environment,
      // Nobody reads this supervisor's log; what ends a command is thrown.
      logger: pino({ level: 'silent' }),
      stdio: ['ignore', log.fd, log.fd],
    });
    return await withToken(tree);
  } finally {
    await log.close();
  }
}

async function withToken(tree: ProcessTree): Promise<LocalServer> {
  const database = await openDatabase({
    url: tree.databaseUrl,
    connections: 1,
    applicationName: 'stowage-prefetch',
  });
  const name = `${TOKEN_PREFIX}${randomUUID()}`;
  const stop = async (): Promise<void> => {
    await removeTokens(database, name).catch(() => undefined);
    await database.close();
    await tree.stop();
  };
  try {
    await ensureLocalUser(database);
    const expiresAt = new Date(Date.now() + TOKEN_LIFETIME_MS);
    const { secret } = await addToken(database, { userName: LOCAL_USER, name, expiresAt });
    return { url: tree.url, token: secret, ownProject: (project) => ownProject(database, project), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function ensureLocalUser(database: Database): Promise<void> {
  const exists = async (): Promise<boolean> =>
    (await database.em().findOne(User, { name: LOCAL_USER })) !== null;
  if (await exists()) return;
  await addUser(database, { name: LOCAL_USER }).catch(async (error: unknown) => {
    // A command beside this one was first.
    if (!(await exists())) throw error;
  });
}

async function ownProject(database: Database, name: string): Promise<void> {
  await createProject(database, SYSTEM, { name }).catch((error: unknown) => {
    if (!(error instanceof ConflictError)) throw error;
  });
  await setProjectMember(database, SYSTEM, { projectName: name, userName: LOCAL_USER, role: 'owner' });
}

/** This command's, and those of commands that were killed. */
async function removeTokens(database: Database, name: string): Promise<void> {
  await database.sql.query(
    `delete from tokens where name = $1 or (name like $2 and expires_at < clock_timestamp())`,
    [name, `${TOKEN_PREFIX}%`],
  );
}

/** The children's log: `prefetch.log` in the data directory, begun anew when it has grown. */
async function openLog(settings: Settings): Promise<FileHandle> {
  const path = join(settings.dataDir, 'prefetch.log');
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  return await open(path, size > LONGEST_LOG ? 'w' : 'a', 0o600);
}
