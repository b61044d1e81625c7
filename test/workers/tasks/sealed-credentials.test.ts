import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BuildingStack, startBuildingStack } from '../../support/building-stack.ts';
import { FakeImageBuilding } from '../../support/fake-image-builder.ts';
import { TestRepository } from '../../support/git-repository.ts';
import { submitImageBuild } from '../../support/image-builds.ts';
import { servePrivately } from '../../support/private-git-server.ts';

const PASSWORD = 'correct-horse-4711';
const building = new FakeImageBuilding();
let directory: string;
let repository: TestRepository;
let server: Awaited<ReturnType<typeof servePrivately>>;
let stack: BuildingStack;
/** With the password in it. */
let url: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'stowage-sealed-'));
  const keyFile = join(directory, 'keys');
  writeKey(keyFile);
  repository = new TestRepository({ Dockerfile: 'FROM scratch\n' });
  server = await servePrivately(repository.path, `ada:${PASSWORD}`);
  url = server.url.replace('://', `://ada:${PASSWORD}@`);
  stack = await startBuildingStack(building, {
    STOWAGE_SECRETS_KEY: keyFile,
    STOWAGE_GIT_ALLOWED_PROTOCOLS: 'http',
    STOWAGE_ALLOW_PRIVATE_NETWORKS: 'true',
  });
});
afterAll(async () => {
  await stack?.close();
  await server?.close();
  rmSync(directory, { recursive: true, force: true });
  rmSync(repository.path, { recursive: true, force: true });
});

function writeKey(path: string): void {
  writeFileSync(path, randomBytes(32).toString('base64'));
}

/** Tables in which the password stands as it is. */
async function tablesWithPassword(): Promise<string[]> {
  const { sql } = stack.database;
  const tables = await sql.query<{ name: string }>(
    "select table_name as name from information_schema.tables where table_schema = 'public'",
  );
  const found: string[] = [];
  for (const { name } of tables) {
    const rows = await sql.query(`select from "${name}" x where strpos(x::text, $1) > 0`, [PASSWORD]);
    if (rows.length > 0) found.push(name);
  }
  return found;
}

const submit = (secrets: Record<string, string>) =>
  submitImageBuild(stack.database, { repository: url, secrets, settings: stack.settings });

test('a source is fetched with a password that the database does not tell', async () => {
  const request = await stack.run({ repository: url, ref: 'main', packageManagers: [] });
  expect(request).toMatchObject({ state: 'complete', commit: repository.head });
  expect(request.repository).toMatch(/^http:\/\/ada:sealed-1-[^@]+@127\.0\.0\.1:/);
  expect(await tablesWithPassword()).toEqual([]);
});

test('a build has its source and its secrets', async () => {
  const meanwhile: string[][] = [];
  const given: unknown[] = [];
  building.work = async ({ secrets }) => {
    given.push(secrets);
    meanwhile.push(await tablesWithPassword());
  };
  expect(await stack.untilBuild(await submit({ token: PASSWORD }))).toMatchObject({ state: 'succeeded' });
  expect(given).toEqual([{ token: PASSWORD }]);
  expect(meanwhile).toEqual([[]]);
  expect(await tablesWithPassword()).toEqual([]);
});

test('without the key that has sealed them it fails, and says why', async () => {
  const foreign = join(directory, 'foreign');
  writeKey(foreign);
  const settings = { ...stack.settings, secretsKey: foreign };
  const build = await submitImageBuild(stack.database, { repository: url, settings });
  const { state, failure } = await stack.untilBuild(build);
  expect(state).toBe('failed');
  expect(failure?.message).toMatch(
    /^Credentials were encrypted with a key \([0-9a-f]{8}\) that is not here$/,
  );
});
