import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findBuildRow } from '../../../src/domain/database/sql/image-build-rows.ts';
import { SYSTEM } from '../../../src/domain/identity/principal.ts';
import { createProject } from '../../../src/domain/identity/projects.ts';
import { BuildFailure } from '../../../src/domain/images/build-failure.ts';
import { readBuildLog } from '../../../src/domain/images/build-log.ts';
import type { BuildSubmission } from '../../../src/domain/images/build-submission.ts';
import { retryBuild } from '../../../src/domain/images/change-build.ts';
import { hasEnded, type ImageBuild } from '../../../src/domain/images/image-build.ts';
import { openRegistry } from '../../../src/domain/registry/registry.ts';
import { FakeImageBuilding } from '../../support/fake-image-builder.ts';
import { TestRepository } from '../../support/git-repository.ts';
import { submitImageBuild } from '../../support/image-builds.ts';
import { servePrivately } from '../../support/private-git-server.ts';
import { startWorkerStack, type WorkerStack } from '../../support/worker-stack.ts';

const CREDENTIALS = 'ada:correct-horse';
const building = new FakeImageBuilding();
/** What the last build found in its source: contents by path. */
let seen: Record<string, string> = {};
let stack: WorkerStack;
let directory: string;
let repository: TestRepository;
let server: Awaited<ReturnType<typeof servePrivately>>;
let first: string;
let second: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'stowage-build-sources-'));
  repository = new TestRepository({ Dockerfile: 'FROM scratch\n', 'a.txt': 'one' });
  first = repository.head;
  repository.git('tag', '-a', 'v1', '-m', 'one');
  second = repository.commit({ 'a.txt': 'two' });
  repository.git('branch', 'stable', first);
  server = await servePrivately(repository.path, CREDENTIALS);
  const gitConfig = join(directory, 'gitconfig');
  writeFileSync(
    gitConfig,
    `[http "${new URL(server.url).origin}/"]\n  extraHeader = Authorization: ${server.authorization}\n`,
  );
  stack = await startWorkerStack(
    {
      STOWAGE_GIT_CONFIG: gitConfig,
      STOWAGE_GIT_ALLOWED_PROTOCOLS: 'file,http',
      STOWAGE_ALLOW_PRIVATE_NETWORKS: 'true',
    },
    { imageBuilding: building },
  );
  const { settings, database, blobs } = stack;
  building.registry = openRegistry({ settings, database, blobs });
  building.work = async ({ contextDirectory }) => {
    seen = Object.fromEntries(
      readdirSync(contextDirectory, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => join(parentPath, name))
        .map((path) => [path.slice(contextDirectory.length + 1), readFileSync(path, 'utf8')]),
    );
  };
  await createProject(database, SYSTEM, { name: 'apps' });
});
afterAll(async () => {
  await building.registry?.close();
  await stack?.close();
  await server?.close();
  rmSync(directory, { recursive: true, force: true });
  rmSync(repository.path, { recursive: true, force: true });
});

async function ended(build: ImageBuild): Promise<ImageBuild> {
  const { hub, database } = stack;
  for await (const _ of hub.subject('image-build', build.id, 0, AbortSignal.timeout(30_000))) {
    const now = (await findBuildRow(database.sql, build.id))!;
    if (hasEnded(now)) return now;
  }
  throw new Error(`build ${build.id} has not ended`);
}

const run = async (submission: BuildSubmission): Promise<ImageBuild> =>
  await ended(await submitImageBuild(stack.database, { ...submission, settings: stack.settings }));

async function logOf({ id }: ImageBuild): Promise<string> {
  const { pages } = await readBuildLog(stack, SYSTEM, id);
  const lines: string[] = [];
  for await (const page of pages(0)) lines.push(...page.map(({ text }) => text));
  return lines.join('\n');
}

test.each([
  ['HEAD', () => null, () => second, 'two'],
  ['a branch', () => 'stable', () => first, 'one'],
  ['a tag', () => 'v1', () => first, 'one'],
  ['a commit', () => first, () => first, 'one'],
])('an image from %s of a private repository', async (_, ref, commit, content) => {
  const build = await run({ repository: server.url, ref: ref() });
  expect(build).toMatchObject({ state: 'succeeded', failure: null, commit: commit() });
  expect(seen).toEqual({ Dockerfile: 'FROM scratch\n', 'a.txt': content });
  const log = await logOf(build);
  expect(log).toContain(`source: commit ${commit()}`);
  expect(log).not.toContain(server.authorization.slice('Basic '.length));
});

test('a retry stays at the commit that the branch had', async () => {
  const { work } = building;
  building.work = async () => {
    throw new BuildFailure('step-failed', 'not yet');
  };
  const build = await run({ repository: server.url, ref: 'main' });
  expect(build).toMatchObject({ state: 'failed', commit: second });
  building.work = work;
  const third = repository.commit({ 'a.txt': 'three' });
  const again = await ended(await retryBuild(stack.database, stack.settings, SYSTEM, build.id));
  expect(again).toMatchObject({ state: 'succeeded', commit: second, attempt: 2 });
  expect(seen['a.txt']).toBe('two');
  expect(await run({ repository: server.url, ref: 'main' })).toMatchObject({ commit: third });
});

test.each([
  ['ref', () => ({ repository: server.url, ref: 'nothing' })],
  ['repository', () => ({ repository: pathToFileURL(join(directory, 'nothing')).href })],
])('a %s that is not there is the fault of the source', async (_, submission) => {
  const build = await run(submission());
  expect(build).toMatchObject({ state: 'failed', failure: { reason: 'source-invalid' } });
  expect(JSON.stringify(build.failure)).not.toContain(CREDENTIALS);
});

test('an image from a bundle has its source, without network, and says which commit', async () => {
  const request = await stack.run({ repository: server.url, ref: 'v1', packageManagers: [] });
  expect(request).toMatchObject({ state: 'complete', error: null });
  const build = await run({ requestId: request.id });
  expect(build).toMatchObject({
    ...{ state: 'succeeded', failure: null, commit: first, requestId: request.id },
    options: { isHermetic: true },
  });
  expect(seen).toEqual({ Dockerfile: 'FROM scratch\n', 'a.txt': 'one' });
  expect(building.builds.at(-1)).toMatchObject({ isHermetic: true });
  expect(building.builds.at(-1)!.mounts.map(({ path }) => path)).toContain('/stowage/bundle');
  const open = await run({ requestId: request.id, network: true });
  expect(open).toMatchObject({ state: 'succeeded', options: { isHermetic: false } });
});
