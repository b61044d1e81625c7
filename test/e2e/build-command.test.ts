import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/domain/database/database.ts';
import { addUser } from '../../src/domain/identity/accounts.ts';
import { SYSTEM } from '../../src/domain/identity/principal.ts';
import { createProject, setProjectMember } from '../../src/domain/identity/projects.ts';
import { addToken } from '../../src/domain/identity/tokens.ts';
import { BUSYBOX, busybox, canBuild } from '../support/build-stack.ts';
import { createTestDatabase, dropTestDatabase } from '../support/database.ts';
import { TestRepository } from '../support/git-repository.ts';
import { StowageCommand, stowage } from '../support/stowage-command.ts';

/** `stowage build` and `stowage logs --build` as a developer runs them, against a whole server. */
describe.runIf(canBuild())('stowage build --server', { timeout: 240_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'stowage-build-command-'));
  let databaseUrl: string;
  let database: Database;
  let server: StowageCommand;
  let env: Record<string, string>;

  beforeAll(async () => {
    databaseUrl = await createTestDatabase();
    database = await openDatabase({ url: databaseUrl, connections: 2 });
    await addUser(database, { name: 'ada' });
    await createProject(database, SYSTEM, { name: 'demo' });
    await setProjectMember(database, SYSTEM, { projectName: 'demo', userName: 'ada', role: 'developer' });
    const { secret } = await addToken(database, { userName: 'ada', name: 'test' });
    server = new StowageCommand(['serve'], {
      env: {
        DATABASE_URL: databaseUrl,
        STOWAGE_DATA_DIR: join(directory, 'data'),
        STOWAGE_PORT: '0',
        STOWAGE_LOG_LEVEL: 'warn',
      },
    });
    const [, url] = await server.until(/ready on (\S+)/);
    env = { STOWAGE_URL: url!, STOWAGE_TOKEN: secret, STOWAGE_DATA_DIR: join(directory, 'client') };
  }, 120_000);

  afterAll(async () => {
    expect((await server.end('SIGTERM')).status).toBe(0);
    await database.close();
    await dropTestDatabase(databaseUrl);
    rmSync(directory, { recursive: true, force: true });
  }, 120_000);

  const run = (...args: string[]) => stowage(args, { env });
  const numberIn = (text: string): string => /^build (\d+) on /m.exec(text)![1]!;
  const stateOf = async (number: string) =>
    (
      await database.sql.query<{ state: string }>('select state from image_builds where id = $1', [number])
    )[0]!.state;

  function context(...lines: string[]): string {
    const path = mkdtempSync(join(directory, 'context-'));
    copyFileSync(busybox(), join(path, 'busybox'));
    writeFileSync(join(path, 'Dockerfile'), [BUSYBOX, ...lines, ''].join('\n'));
    return path;
  }

  test.concurrent('a directory: the log while it is built, then the image; and the log again', async () => {
    const built = await run('build', context('RUN echo from a step'), '-t', 'demo/site:1');
    expect(built.status, built.stderr).toBe(0);
    const log = built.stderr.split('\n');
    expect(log.filter((line) => line === 'from a step')).toHaveLength(1);
    expect(log.indexOf('workspace is ready.')).toBeLessThan(log.indexOf('from a step'));
    expect(built.stdout).toMatch(
      /^image {7}demo\/images\/site:1\ndigest {6}sha256:[0-9a-f]{64}\nsize {8}\d.* [kM]?B\nnetwork {5}yes\ntime {8}\d+\.\d s\n$/,
    );

    const number = numberIn(built.stderr);
    const printed = await run('logs', '--build', number);
    expect(printed.status, printed.stderr).toBe(0);
    expect(printed.stdout).toMatch(/^\d{4}-\S+Z info {2}\S+: workspace is ready\.$/m);
    expect(printed.stdout).toMatch(/: from a step$/m);
  });

  test.concurrent('a commit, from its bundle; the bundle again; each line an object for programs', async () => {
    const repository = new TestRepository({
      Dockerfile: 'FROM scratch\nCOPY a.txt /\n',
      'a.txt': 'a',
      'package.json': '{"name":"app","version":"1.0.0"}',
      'package-lock.json':
        '{"name":"app","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"app","version":"1.0.0"}}}',
    });
    const built = await run('build', '--git', repository.path, '--hermetic', '--json', '-t', 'demo/app:1');
    expect(built.status, built.stderr).toBe(0);
    expect(built.stderr).toBe('');
    const objects = built.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect([...new Set(objects.map(({ type }) => type))].sort()).toEqual([
      ...['build', 'build-event', 'build-log', 'event', 'log', 'phase', 'result', 'submitted'],
    ]);
    const digest = expect.stringMatching(/^sha256:[0-9a-f]{64}$/);
    expect(objects.at(-1)).toMatchObject({
      ...{ type: 'result', reference: 'demo/images/app:1', state: 'succeeded', isHermetic: true, digest },
    });

    const request = objects.find(({ type }) => type === 'submitted').number;
    const again = await run('build', '--bundle', String(request), '-t', 'demo/app:2');
    expect(again.status, again.stderr).toBe(0);
    expect(again.stdout).toContain(`digest      ${objects.at(-1).digest}\n`);
    expect(again.stdout).toContain('network     none\n');
  });

  test.concurrent('Ctrl-C cancels the build, and ends who follows its log', async () => {
    const command = new StowageCommand(['build', context('RUN echo waiting; sleep 600'), '-t', 'demo/long'], {
      env,
    });
    await command.until(/^waiting$/m);
    const number = numberIn(command.stderr);
    const follower = new StowageCommand(['logs', '--build', number, '-f'], { env });
    await follower.until(/: waiting$/m);
    const { status, stderr, stdout } = await command.end('SIGINT');
    expect([status, stdout]).toEqual([130, '']);
    expect(stderr).toContain(`cancelling build ${number}\n`);
    expect(stderr).toMatch(/^error: Interrupted$/m);
    expect(await stateOf(number)).toBe('cancelled');
    expect((await follower.result).status).toBe(0);
  });

  test.concurrent('without --server, on the data directory of a server: into whatever project', async () => {
    const path = mkdtempSync(join(directory, 'context-'));
    writeFileSync(join(path, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
    const data = { DATABASE_URL: databaseUrl, STOWAGE_DATA_DIR: join(directory, 'data') };
    const built = await stowage(['build', path, '-t', 'demo/local'], { env: data });
    expect(built.status, built.stderr).toBe(0);
    expect(built.stdout).toMatch(/^image {7}demo\/images\/local:latest$/m);
  });

  test.concurrent('a step that fails: where, and why', async () => {
    const failed = await run('build', context('RUN exit 7'), '-t', 'demo/broken', '--json');
    const error = JSON.parse(failed.stdout.trimEnd().split('\n').at(-1)!);
    expect([failed.status, error]).toMatchObject([
      1,
      { type: 'error', code: 'step-failed', exitCode: 1, details: { line: 4 } },
    ]);
    expect(failed.stderr).toBe(`error: ${error.message}\nhint: ${error.hint}\n`);
  });

  test.concurrent('a base image that is not there: told at once, and once', async () => {
    const path = mkdtempSync(join(directory, 'context-'));
    writeFileSync(join(path, 'Dockerfile'), 'FROM library/images/none:1\n');
    const { status, stderr } = await run('build', path, '-t', 'demo/based');
    expect(status).toBe(1);
    expect(stderr.split('\n').filter((line) => line.includes('none:1'))).toEqual([
      'error: The base image library/images/none:1 of line 1 cannot be had: this registry does not have it',
    ]);
    expect(stderr).toMatch(/^hint: Build or push it first/m);
  });

  test.concurrent.each<[string[], number, string]>([
    [['build', '.', '-t', 'none/x'], 1, 'There is no project "none", or you are no member of it'],
    [['build', '--bundle', '99', '-t', 'demo/x'], 1, 'There is no bundle request 99'],
    [['logs', '--build', '99'], 1, 'There is no build 99'],
  ])('%j ends with %i', async (args, status, message) => {
    expect(await run(...args)).toMatchObject({
      status,
      stdout: '',
      stderr: expect.stringContaining(message),
    });
  });
});
