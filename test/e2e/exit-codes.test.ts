import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/domain/database/database.ts';
import { addUser } from '../../src/domain/identity/accounts.ts';
import { addToken } from '../../src/domain/identity/tokens.ts';
import { createTestDatabase, dropTestDatabase } from '../support/database.ts';
import { type RepositoryFile, TestRepository } from '../support/git-repository.ts';
import { type NpmRegistry, startNpmRegistry } from '../support/npm-registry.ts';
import { type PythonIndex, startPythonIndex } from '../support/python-index.ts';
import { StowageCommand, stowage } from '../support/stowage-command.ts';

/** Each exit code of docs/exit-codes.md, caused by a user of `stowage prefetch --server`. */
describe('exit codes of stowage prefetch', () => {
  const directory = mkdtempSync(join(tmpdir(), 'stowage-exit-'));
  const mirrors = join(directory, 'mirrors');
  let databaseUrl: string;
  let database: Database;
  let npm: NpmRegistry;
  let index: PythonIndex;
  let server: StowageCommand;
  let client: Record<string, string>;

  beforeAll(async () => {
    npm = await startNpmRegistry([{ name: 'left', version: '1.0.0' }]);
    index = await startPythonIndex([]);
    databaseUrl = await createTestDatabase();
    database = await openDatabase({ url: databaseUrl, connections: 2 });
    await addUser(database, { name: 'ada' });
    const { secret } = await addToken(database, { userName: 'ada', name: 'test' });

    // A directory with git and no go, so that a missing tool is found missing.
    mkdirSync(join(directory, 'bin'));
    for (const tool of ['git', 'sh', 'env', 'uname', 'readlink', 'dirname', 'node', 'git-upload-pack']) {
      symlinkSync(locate(tool), join(directory, 'bin', tool));
    }
    writeFileSync(
      join(directory, 'gitconfig'),
      `[url "file://${mirrors}/"]\n\tinsteadOf = https://git.example/\n[protocol "file"]\n\tallow = always\n[safe]\n\tdirectory = *\n`,
    );
    server = new StowageCommand(['serve'], {
      env: {
        PATH: join(directory, 'bin'),
        DATABASE_URL: databaseUrl,
        STOWAGE_DATA_DIR: join(directory, 'data'),
        STOWAGE_PORT: '0',
        STOWAGE_GIT_CONFIG: join(directory, 'gitconfig'),
        STOWAGE_NPM_REGISTRY: npm.url,
        STOWAGE_PYPI_INDEX: index.url,
        STOWAGE_LOG_LEVEL: 'warn',
      },
    });
    const [, url] = await server.until(/ready on (\S+)/);
    client = { STOWAGE_URL: url!, STOWAGE_TOKEN: secret, STOWAGE_DATA_DIR: join(directory, 'client') };
  });

  afterAll(async () => {
    expect((await server.end('SIGTERM')).status).toBe(0);
    await database.close();
    await dropTestDatabase(databaseUrl);
    await npm.close();
    await index.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const lock = (extra: object = {}): string =>
    JSON.stringify({
      name: 'app',
      version: '1.0.0',
      lockfileVersion: 3,
      requires: true,
      packages: { '': { name: 'app', version: '1.0.0' }, ...extra },
    });
  const manifest = JSON.stringify({ name: 'app', version: '1.0.0' });
  const left = (entry: object): Record<string, RepositoryFile> => ({
    'package.json': manifest,
    'package-lock.json': lock({ 'node_modules/left': { version: '1.0.0', ...entry } }),
  });
  const python = (requirements: string): Record<string, RepositoryFile> => ({
    'requirements.txt': requirements,
    'setup.cfg': '[metadata]\nname = app\nversion = 1.0\n',
  });
  const SHA512 = `sha512-${Buffer.alloc(64).toString('base64')}`;

  const cases: [code: number, name: string, files: Record<string, RepositoryFile>, options?: string[]][] = [
    [0, 'done', { 'package.json': manifest, 'package-lock.json': lock() }],
    [3, 'path-outside-root', { a: '', outside: { link: '../..' } }, ['--npm', 'outside']],
    [4, 'invalid-input', { a: '' }, ['--npm', '../outside']],
    [
      5,
      'package-rejected',
      { 'package.json': manifest, 'package-lock.json': lock(), 'node_modules/a/index.js': '' },
      ['--npm', '.'],
    ],
    [7, 'unexpected-format', python('--unheard-of\n')],
    [
      8,
      'unsupported-feature',
      {
        'package.json': manifest,
        'package-lock.json': lock().replace('"lockfileVersion":3', '"lockfileVersion":9'),
      },
    ],
    [9, 'executable-missing', { 'go.mod': 'module git.example/app\n\ngo 1.21\n' }, ['--gomod', '.']],
    [10, 'checksum-mismatch', left({ integrity: SHA512 })],
    [
      11,
      'invalid-checksum',
      python(
        `left @ https://files.example/left-1.0.tar.gz --hash=sha256:${'a'.repeat(64)} --hash=sha256:${'b'.repeat(64)}\n`,
      ),
    ],
    [12, 'missing-checksum', python('left @ https://files.example/left-1.0.tar.gz\n')],
    [13, 'lockfile-not-found', { 'package.json': manifest }, ['--npm', '.']],
    [14, 'invalid-lockfile', { 'package.json': manifest, 'package-lock.json': '{"lockfileVersion": 3,' }],
    [15, 'fetch-failed', left({ version: '2.0.0', integrity: SHA512 })],
    [19, 'bad-revision', { a: '' }, ['--ref', 'nowhere']],
    [23, 'unpinned-requirement', python('left>=1\n')],
    [24, 'invalid-vcs-reference', python('left @ git+https://git.example/left.git@main\n')],
  ];

  test.concurrent.each(cases)('%i: %s', async (exitCode, name, files, options = []) => {
    const repository = new TestRepository(files);
    const target = mkdtempSync(join(directory, 'out-'));
    const run = await stowage(
      ['prefetch', repository.path, '--json', '--output', join(target, 'bundle.tar.gz'), ...options],
      { env: client },
    );
    const last = JSON.parse(run.stdout.trimEnd().split('\n').at(-1)!);
    expect({ status: run.status, code: last.code ?? 'done' }, run.stderr + run.stdout).toEqual({
      status: exitCode,
      code: name,
    });
    if (exitCode === 0) {
      expect(readdirSync(target).sort()).toEqual([
        'bundle.manifest.json',
        'bundle.provenance.jsonl',
        'bundle.sbom.json',
        'bundle.tar.gz',
        'stowage.env',
      ]);
    } else {
      expect(last).toMatchObject({ type: 'error', exitCode });
      expect(run.stderr).toContain(`error: ${last.message}`);
      expect(readdirSync(target)).toEqual([]);
    }
  });

  test('1: the server does not answer', async () => {
    const repository = new TestRepository({ a: '' });
    const run = await stowage(
      ['prefetch', repository.path, '--source-only', '--output', join(directory, 'x.tar.gz')],
      {
        env: { ...client, STOWAGE_URL: `http://127.0.0.1:${await closedPort()}` },
      },
    );
    expect(run).toMatchObject({ status: 1, stdout: '' });
    expect(run.stderr).toMatch(/^error: No answer from http:\/\/127\.0\.0\.1:\d+: ECONNREFUSED$/m);
  });

  test('2: usage', async () => {
    const run = await stowage(['prefetch', '--unheard-of'], { env: client });
    expect(run).toMatchObject({ status: 2, stdout: '' });
    expect(run.stderr).toContain("unknown option '--unheard-of'");
  });

  test('6: not a git repository', async () => {
    const run = await stowage(['prefetch', directory, '--output', join(directory, 'x.tar.gz')], {
      env: client,
    });
    expect(run).toMatchObject({ status: 6, stdout: '' });
    expect(run.stderr).toContain(`error: ${directory} is not a git repository\n`);
  });

  test('17: git cannot fetch', async () => {
    const run = await stowage(
      ['prefetch', 'https://git.example/absent.git', '--output', join(directory, 'x.tar.gz')],
      { env: client },
    );
    expect(run.status, run.stderr).toBe(17);
  });

  test('130: interrupted; the request is cancelled', async () => {
    await database.sql.query(`
      create function hold() returns trigger language plpgsql as $$
      begin perform pg_advisory_xact_lock(4711); return new; end $$`);
    await database.sql.query(
      `create trigger hold before update on bundle_request_steps for each row
       when (new.state = 'running') execute function hold()`,
    );
    const holder = await database.pool.connect();
    await holder.query('select pg_advisory_lock(4711)');
    const repository = new TestRepository({ a: 'interrupted' });
    const target = mkdtempSync(join(directory, 'out-'));
    const command = new StowageCommand(
      ['prefetch', repository.path, '--source-only', '--output', join(target, 'b.tar.gz')],
      { env: client },
    );
    try {
      const [, number] = await command.until(/request (\d+) on/);
      command.child.kill('SIGINT');
      await command.until(/cancelling request/);
      // The worker holds the request's row; the cancellation waits for it. Only the beginning of a query is shown.
      const waiting = () =>
        database.sql.query(
          `select from pg_stat_activity
           where datname = current_database() and wait_event = 'transactionid' and query ~ '^\\s*select\\s+r\\.id'`,
        );
      await expect.poll(waiting).not.toEqual([]);
      await holder.query('select pg_advisory_unlock(4711)');
      const run = await command.result;
      expect(run, run.stderr).toMatchObject({ status: 130, stdout: '' });
      const [request] = await database.sql.query<{ state: string }>(
        'select state from bundle_requests where id = $1',
        [number],
      );
      expect(request).toEqual({ state: 'cancelled' });
      expect(readdirSync(target)).toEqual([]);
    } finally {
      await holder.query('select pg_advisory_unlock_all()');
      holder.release();
      await database.sql.query('drop trigger hold on bundle_request_steps');
    }
  });
});

async function closedPort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  listener.close();
  await once(listener, 'close');
  return port;
}

function locate(tool: string): string {
  const found = (process.env.PATH ?? '')
    .split(':')
    .map((part) => join(part, tool))
    .find((path) => existsSync(path));
  if (!found) throw new Error(`${tool} is not on the PATH`);
  return found;
}
