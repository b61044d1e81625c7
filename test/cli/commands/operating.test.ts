import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { signingKey } from '../../../src/cli/doctor/storage.ts';
import { stowageProgram } from '../../../src/cli/main.ts';
import { openServices } from '../../../src/cli/open-services.ts';
import { printableError, printError } from '../../../src/cli/print-error.ts';
import { submitRequest } from '../../../src/domain/bundle-requests/submit.ts';
import { readSettings } from '../../../src/domain/config.ts';
import { type Database, openDatabase } from '../../../src/domain/database/database.ts';
import { endWorker, insertWorker, markDraining } from '../../../src/domain/database/sql/workers.ts';
import { SYSTEM } from '../../../src/domain/identity/principal.ts';
import { TASKS } from '../../../src/domain/queue/tasks.ts';
import { createTestDatabase, dropTestDatabase } from '../../support/database.ts';
import type { CommandResult } from '../../support/stowage-command.ts';

const directory = mkdtempSync(join(tmpdir(), 'stowage-operating-'));
const ISO = String.raw`\d{4}-\d\d-\d\dT[\d:.]{12}Z`;
const ME = userInfo().username;
let url: string;
let database: Database;
/** Of a request that a worker has given up. */
let request: number;
let job: number;

beforeAll(async () => {
  url = await createTestDatabase();
  database = await openDatabase({ url, connections: 2 });
  process.env.DATABASE_URL = url;
  process.env.STOWAGE_DATA_DIR = directory;
  const submission = { repository: 'https://git.example/a.git', packageManagers: [] };
  request = (await submitRequest(database, readSettings(), SYSTEM, submission)).id;
  const [row] = await database.sql.query<{ id: number }>('select id from graphile_worker.jobs');
  job = row!.id;
});
afterAll(async () => {
  await database?.close();
  if (url) await dropTestDatabase(url);
  rmSync(directory, { recursive: true, force: true });
});

/** The command in this process: what it prints, and the status with which it would end. */
async function run(...args: string[]): Promise<CommandResult> {
  const result: CommandResult = { status: 0, stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      result[name] += String(text);
      return true;
    }),
  );
  const own = process.exitCode;
  try {
    await stowageProgram().parseAsync(args, { from: 'user' });
    if (process.exitCode !== own) result.status = Number(process.exitCode);
  } catch (error) {
    result.status = printError(error);
  } finally {
    process.exitCode = own;
    for (const spy of spies) spy.mockRestore();
  }
  return result;
}

const done = (stdout: string): CommandResult => ({ status: 0, stdout, stderr: '' });
const failed = (status: number, stderr: string): CommandResult => ({ status, stdout: '', stderr });
const rows = ({ stdout }: CommandResult) =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));

test('queue list tells every task, pause and resume change it', async () => {
  const listed = rows(await run('queue', 'list'));
  expect(listed[0]).toEqual([
    'TASK',
    'WAITING',
    'READY',
    'SCHEDULED',
    'RUNNING',
    'FAILED',
    'OLDEST',
    'STATE',
  ]);
  expect(listed.slice(1).map(([task]) => task)).toEqual([...TASKS]);
  expect(listed[1]).toEqual([
    'fetch-source',
    '0',
    '1',
    '0',
    '0',
    '0',
    expect.stringMatching(/^\d+ s$/),
    'active',
  ]);
  expect(listed[2]).toEqual(['resolve-packages', '0', '0', '0', '0', '0', '0 s', 'active']);

  expect(await run('queue', 'pause', 'fetch-source', '--reason', 'a new disk')).toEqual(
    done('paused fetch-source\n'),
  );
  // Again is no error.
  expect(await run('queue', 'pause', 'fetch-source', '--reason', 'a new disk')).toMatchObject({ status: 0 });
  expect(rows(await run('queue', 'list'))[1]!.at(-1)).toMatch(new RegExp(`^paused ${ISO} a new disk$`));
  const [json] = JSON.parse((await run('queue', 'list', '--json')).stdout);
  expect(json).toMatchObject({
    task: 'fetch-source',
    ready: 1,
    failed: 0,
    pause: { reason: 'a new disk', pausedBy: null, pausedAt: expect.stringMatching(ISO) },
  });
  for (let time = 1; time <= 2; time += 1) {
    expect(await run('queue', 'resume', 'fetch-source')).toEqual(done('resumed fetch-source\n'));
  }
  expect(rows(await run('queue', 'list'))[1]!.at(-1)).toBe('active');
});

const UNKNOWN_TASK = `error: "resolve" is not a task; tasks are ${TASKS.join(', ')}\n`;

const notReplaced = (id: string) =>
  `error: There is no key "${id}" that has been replaced\n` +
  'hint: stowage keys lists them; the key that signs has to be rotated first.\n';

test.each<[string[], number, string]>([
  [['queue', 'pause', 'resolve'], 4, UNKNOWN_TASK],
  [['queue', 'resume', 'resolve'], 4, UNKNOWN_TASK],
  [
    ['queue', 'pause', 'fetch-source', '--reason', 'x'.repeat(501)],
    4,
    'error: The reason must have at most 500 characters\n',
  ],
  [['queue', 'retry', '999999'], 1, 'error: There is no dead job 999999\n'],
  [['queue', 'discard', '999999'], 1, 'error: There is no dead job 999999\n'],
  [['queue', 'retry', '0'], 4, 'error: "0" is not a number of a job\n'],
  [['queue', 'discard', '1', 'two'], 4, 'error: "two" is not a number of a job\n'],
  [['queue', 'dead', '--limit', '-1'], 4, 'error: "-1" is not a number of a job\n'],
  [
    ['keys', 'rotate', 'nonsense'],
    4,
    'error: "nonsense" is not signed with a shared key; registry-tokens, session-tokens are\n',
  ],
  [['keys', 'forget', 'nonsense'], 4, notReplaced('nonsense')],
  [['audit', '--since', 'soon'], 4, 'error: "soon" is not a duration; write it like 12h or 30d\n'],
])('%j is refused', async (args, status, stderr) => {
  expect(await run(...args)).toEqual(failed(status, stderr));
});

test.each([
  [['queue']],
  [['queue', 'stop']],
  [['queue', 'pause']],
  [['queue', 'retry']],
  [['workers', '--tasks', 'x']],
  [['audit', '--limit', '0']],
  [['keys', 'rotate']],
])('%j is a usage error', async (args) => {
  const { status, stdout } = await run(...args);
  expect([status, stdout]).toEqual([2, '']);
});

test('dead jobs are listed, retried once, and discarded', async () => {
  expect(await run('queue', 'dead')).toEqual(done('no dead jobs\n'));
  expect(await run('queue', 'dead', '--json')).toEqual(done('[]\n'));
  const die = (error: string | null) =>
    database.sql.query('update graphile_worker._private_jobs set attempts = max_attempts, last_error = $1', [
      error,
    ]);
  await die(`fetch failed\n    at secret.ts:1`);
  const [, row] = rows(await run('queue', 'dead'));
  expect(row).toEqual([
    String(job),
    'fetch-source',
    `request ${request}`,
    '8',
    expect.stringMatching(new RegExp(`^${ISO}$`)),
    'fetch failed',
  ]);
  expect(JSON.parse((await run('queue', 'dead', '--limit', '1', '--json')).stdout)).toMatchObject([
    { id: job, task: 'fetch-source', requestId: request, attempts: 8 },
  ]);
  // Its request goes on yet: nobody has given it up.
  expect(await run('queue', 'retry', String(job))).toMatchObject({ status: 1, stdout: '' });
  await die(null);
  expect(rows(await run('queue', 'dead'))[1]!.at(-1)).toBe('its workers died');
  expect(await run('queue', 'discard', String(job))).toEqual(
    done(`discarded ${job}: fetch-source request ${request}\n`),
  );
  expect(await run('queue', 'discard', String(job))).toEqual(
    failed(1, `error: There is no dead job ${job}\n`),
  );
});

test('a job of maintenance that is dead runs again', async () => {
  await database.sql.query(
    `select graphile_worker.add_job('collect-garbage', '{}', job_key := 'garbage', max_attempts := 1)`,
  );
  await database.sql.query(
    `update graphile_worker._private_jobs set attempts = max_attempts where key = 'garbage'`,
  );
  const [, [number]] = rows(await run('queue', 'dead')) as [string[], string[]];
  expect(await run('queue', 'retry', number!)).toEqual(done(`retried ${number}: collect-garbage\n`));
  expect(await run('queue', 'dead')).toEqual(done('no dead jobs\n'));
});

const [ONE, TWO, GONE] = [randomUUID(), randomUUID(), randomUUID()];

test('workers that live, and what they do', async () => {
  expect(await run('workers')).toEqual(done('no worker lives\n'));
  expect(await run('workers', '--json')).toEqual(done('[]\n'));
  const { sql } = database;
  const worker = { host: 'worker-1', pid: 42, poolIds: ['a'], tasks: null, concurrency: 4 };
  await insertWorker(sql, { ...worker, id: ONE });
  await insertWorker(sql, {
    ...worker,
    id: TWO,
    pid: 43,
    poolIds: ['b'],
    tasks: ['fetch-source', 'build-image'],
  });
  await insertWorker(sql, { ...worker, id: GONE, pid: 44, poolIds: ['c'] });
  await endWorker(sql, GONE);
  // They live as long as the test takes.
  await sql.query(`update workers set heartbeat_at = now() + interval '1 hour'`);
  await markDraining(sql, TWO);
  await sql.query(
    `update graphile_worker._private_jobs set locked_by = 'a', locked_at = now() where key = 'garbage'`,
  );
  const listed = await run('workers');
  const time = expect.stringMatching(new RegExp(`^${ISO}$`));
  expect(rows(listed)).toEqual([
    ['HOST', 'PID', 'STARTED', 'LAST BEAT', 'STATE', 'TASKS', 'JOBS'],
    ['worker-1', '42', time, time, 'active', 'all', 'collect-garbage'],
    ['worker-1', '43', time, time, 'draining', 'fetch-source,build-image', '–'],
  ]);
  expect(JSON.parse((await run('workers', '--json')).stdout)).toMatchObject([
    { id: ONE, pid: 42, tasks: null, jobs: [{ task: 'collect-garbage' }] },
    { id: TWO, pid: 43, drainingAt: expect.any(String), jobs: [] },
  ]);

  expect(await run('workers', '--here')).toEqual({ ...done('no worker lives\n'), status: 1 });
  await sql.query('update workers set host = $2 where id = $1', [ONE, hostname()]);
  const here = await run('workers', '--here');
  expect(here.status).toBe(0);
  expect(rows(here).map(([host, pid]) => [host, pid])).toEqual([
    ['HOST', 'PID'],
    [hostname(), '42'],
  ]);
});

test('the audit log tells who has run these commands, and what was refused', async () => {
  expect(await run('audit', '--user', 'nobody-at-all')).toEqual(done('no such entries\n'));
  const listed = rows(await run('audit', '--user', ME, '--action', 'discardDeadJob', '--since', '1h'));
  const time = expect.stringMatching(new RegExp(`^${ISO}$`));
  expect(listed).toEqual([
    ['TIME', 'USER', 'FROM', 'ACTION', 'OUTCOME', 'DETAILS'],
    [time, ME, 'command', 'discardDeadJob', 'not-found', `{"number":${job}}`],
    [time, ME, 'command', 'discardDeadJob', 'done', `{"number":${job}}`],
    [time, ME, 'command', 'discardDeadJob', 'not-found', '{"number":999999}'],
  ]);
  const { stdout } = await run('audit', '--action', 'pauseTask', '--limit', '1', '--json');
  expect(stdout.split('\n')).toHaveLength(2);
  expect(JSON.parse(stdout)).toMatchObject({ user: ME, action: 'pauseTask', address: 'command' });
});

test('keys: none yet, then those that sign', async () => {
  expect(await run('keys')).toEqual(done('no keys yet: each is made when something is signed\n'));
  const { stdout, stderr } = await run('keys', 'rotate', 'registry-tokens', '--forget');
  const id = stdout.trim();
  expect(stderr).toBe(`key ${id} signs registry-tokens within half a minute; older ones are forgotten\n`);
  expect(rows(await run('keys', 'list')).slice(1)).toEqual([
    [id, 'registry-tokens', expect.any(String), 'signs', expect.any(String)],
  ]);
  // The one that signs.
  expect(await run('keys', 'forget', id)).toEqual(failed(4, notReplaced(id)));
});

test.each([
  [['queue', 'list']],
  [['queue', 'pause', 'fetch-source']],
  [['queue', 'resume', 'fetch-source']],
  [['queue', 'dead']],
  [['queue', 'retry', '1']],
  [['queue', 'discard', '1']],
  [['workers']],
  [['audit']],
  [['keys']],
  [['keys', 'rotate', 'session-tokens']],
])('%j while the database is away', async (args) => {
  process.env.DATABASE_URL = 'postgresql://stowage:secret@127.0.0.1:1/stowage';
  const result = await run(...args);
  process.env.DATABASE_URL = url;
  expect(result).toEqual(
    failed(
      1,
      'error: Cannot connect to PostgreSQL: connect ECONNREFUSED 127.0.0.1:1\n' +
        'hint: Check DATABASE_URL, or leave it unset to use the embedded PostgreSQL.\n',
    ),
  );
});

test('no process starts with a key of provenance that is half written, and doctor finds it', async () => {
  const dataDir = join(directory, 'damaged');
  const path = join(dataDir, 'keys/provenance.pem');
  mkdirSync(join(dataDir, 'keys'), { recursive: true });
  writeFileSync(path, '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw');
  const env = { DATABASE_URL: url, STOWAGE_DATA_DIR: dataDir, STOWAGE_PORT: '0' };
  const found = 'must be an Ed25519 private key, and has no private key in PEM form (without a passphrase)';
  // What gateways and workers begin with.
  const services = openServices(readSettings(env), 'test', {
    logger: pino({ level: 'silent' }),
    signal: AbortSignal.timeout(50_000),
  });
  const refusal = await services.then(() => null, printableError);
  const hint = 'openssl genpkey -algorithm ed25519 makes one.';
  expect(refusal).toMatchObject({ message: `${path} ${found}`, hint, exitCode: 4 });
  expect(() => readSettings({ ...env, STOWAGE_SIGNING_KEY: path })).toThrow(
    `STOWAGE_SIGNING_KEY (${path}) ${found}`,
  );
  expect(await signingKey(readSettings(env))).toEqual({
    name: 'signing key',
    state: 'fail',
    found: `${path} ${found}`,
    advice: 'Check STOWAGE_SIGNING_KEY, or keys/ in the data directory.',
  });
});
