import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestRepository } from '../support/git-repository.ts';
import { StowageCommand, stowage } from '../support/stowage-command.ts';

/** `npm start` and commands of a person on one data directory: they share database, queue and store. */
describe('a server and stowage prefetch on one data directory', { timeout: 120_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'stowage-shared-'));
  const env = { STOWAGE_DATA_DIR: join(directory, 'data'), STOWAGE_PORT: '0' };
  const repository = new TestRepository({ 'README.md': 'Hello\n' });
  let server: StowageCommand;
  let url: string;

  beforeAll(async () => {
    server = new StowageCommand(['serve'], { env });
    url = (await server.until(/ready on (http:\S+)[\s\S]*Log in as/))[1]!;
  }, 60_000);

  afterAll(async () => {
    await server.end('SIGTERM');
    rmSync(directory, { recursive: true, force: true });
  });

  test('two prefetches of a path at once: the server, which may not read paths, leaves them their jobs', async () => {
    const runs = await Promise.all(
      ['a', 'b'].map((name) => {
        mkdirSync(join(directory, name));
        const output = join(directory, name, 'bundle.tar.gz');
        return stowage(['prefetch', repository.path, '--source-only', '--output', output], { env });
      }),
    );
    expect(runs.map(({ status, stderr }) => [status, /^error.*/m.exec(stderr)?.[0]])).toEqual([
      [0, undefined],
      [0, undefined],
    ]);
    const [a, b] = ['a', 'b'].map((name) => readFileSync(join(directory, name, 'bundle.tar.gz')));
    expect(a!.equals(b!)).toBe(true);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  test('a token that is wrong ends an upload, and the command', async () => {
    const large = new TestRepository({ 'large.bin': randomBytes(8_000_000) });
    const run = await stowage(['prefetch', large.path, '--server', url, '--token', 'wrong'], { env });
    expect(run.status).toBe(1);
    expect(run.stderr).toBe('uploading the source\nerror: Wrong credentials\n');
  });

  test.each([
    ['a file URL', (path: string) => `file://${path}`],
    ['a path', (path: string) => path],
  ])('nobody makes the server read %s', async (_kind, repositoryOf) => {
    const password = readFileSync(join(env.STOWAGE_DATA_DIR, 'admin-password'), 'utf8').trim();
    const answer = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`,
      },
      body: JSON.stringify({
        query: `mutation ($input: SubmitBundleRequestInput!) {
          submitBundleRequest(input: $input) { __typename ... on Error { code message hint } }
        }`,
        variables: { input: { repository: repositoryOf(repository.path) } },
      }),
    });
    expect(await answer.json()).toEqual({
      data: {
        submitBundleRequest: {
          __typename: 'InvalidInputError',
          code: 'invalid-input',
          message: 'The repository must be a URL that the server can reach, not a path',
          hint: 'Upload the source instead, or run "stowage prefetch PATH".',
        },
      },
    });
  });
});
