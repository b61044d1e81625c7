import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestRepository } from '../support/git-repository.ts';
import { manyPackages, type NpmRegistry, startNpmRegistry } from '../support/npm-registry.ts';
import { startWorkerStack, type WorkerStack } from '../support/worker-stack.ts';

let registry: NpmRegistry;
let stack: WorkerStack;

beforeAll(async () => {
  registry = await startNpmRegistry(manyPackages(2));
  stack = await startWorkerStack({
    STOWAGE_NPM_REGISTRY: 'https://registry.example/',
    STOWAGE_ALLOW_PRIVATE_NETWORKS: 'true',
  });
});
afterAll(async () => {
  await stack.close();
  await registry.close();
});

async function bundle(dependency: Record<string, unknown>) {
  const files = { name: 'fixture-application', version: '1.0.0' };
  const lock = { ...files, lockfileVersion: 3, packages: { '': files, 'node_modules/dep': dependency } };
  const repository = new TestRepository({
    'package.json': JSON.stringify(files),
    'package-lock.json': JSON.stringify(lock),
  });
  try {
    const request = await stack.run({ repository: repository.path, ref: 'main' });
    return { request, log: await stack.log(request.id) };
  } finally {
    await rm(repository.path, { recursive: true, force: true });
  }
}

/** Tables with rows in which the text occurs. */
async function tablesWith(text: string): Promise<string[]> {
  const { sql } = stack.database;
  const tables = await sql.query<{ name: string }>(
    "select table_name as name from information_schema.tables where table_schema = 'public'",
  );
  const found: string[] = [];
  for (const { name } of tables) {
    const rows = await sql.query(`select from "${name}" x where strpos(x::text, $1) > 0`, [text]);
    if (rows.length > 0) found.push(name);
  }
  return found;
}

/** `http://…` with a user and a password, and a token. */
function secretly(url: string): string {
  return `${url.replace('://', '://me:hidden-password@')}?token=hidden-token`;
}

test('what lock files tell of passwords and tokens is written down nowhere', async () => {
  const { path, integrity, version } = registry.packages[0]!;
  const origin = new URL(registry.url).origin;
  const good = await bundle({ version, resolved: secretly(new URL(path, origin).href), integrity });
  expect(good.request).toMatchObject({ state: 'complete', error: null });

  const missing = await bundle({ version, resolved: secretly(`${origin}/missing.tgz`), integrity });
  expect(missing.request).toMatchObject({
    state: 'failed',
    error: {
      message: `Failed to download the npm dependency dep@${origin.replace('://', '://***@')}/missing.tgz?token=***`,
      hint: expect.stringContaining('status 404'),
    },
  });

  const commit = 'a'.repeat(40);
  const git = await bundle({
    version,
    resolved: `git+https://me:hidden-password@127.0.0.1:1/x.git#${commit}`,
  });
  expect(git.request).toMatchObject({
    state: 'failed',
    error: { message: `Failed to clone dep@git+https://***@127.0.0.1:1/x.git#${commit}` },
  });

  for (const secret of ['hidden-password', 'hidden-token']) {
    expect(await tablesWith(secret)).toEqual([]);
    expect([...good.log, ...missing.log, ...git.log].filter((line) => line.includes(secret))).toEqual([]);
  }
});
