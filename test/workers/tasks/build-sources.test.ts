import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SYSTEM } from '../../../src/domain/identity/principal.ts';
import { BuildFailure } from '../../../src/domain/images/build-failure.ts';
import type { BuildSubmission } from '../../../src/domain/images/build-submission.ts';
import { retryBuild } from '../../../src/domain/images/change-build.ts';
import type { ImageBuild } from '../../../src/domain/images/image-build.ts';
import type { Digest } from '../../../src/domain/storage/blob-store.ts';
import { type BuildingStack, startBuildingStack } from '../../support/building-stack.ts';
import { FakeImageBuilding } from '../../support/fake-image-builder.ts';
import { TestRepository } from '../../support/git-repository.ts';
import { submitImageBuild } from '../../support/image-builds.ts';
import { servePrivately } from '../../support/private-git-server.ts';
import { cycloneDxErrors } from '../../support/sbom-rules.ts';

const CREDENTIALS = 'ada:correct-horse';
const building = new FakeImageBuilding();
/** What the last build found in its source: contents by path. */
let seen: Record<string, string> = {};
let stack: BuildingStack;
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
  stack = await startBuildingStack(building, {
    STOWAGE_GIT_CONFIG: gitConfig,
    STOWAGE_GIT_ALLOWED_PROTOCOLS: 'file,http',
    STOWAGE_ALLOW_PRIVATE_NETWORKS: 'true',
  });
  building.work = async ({ contextDirectory }) => {
    seen = Object.fromEntries(
      readdirSync(contextDirectory, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => join(parentPath, name))
        .map((path) => [path.slice(contextDirectory.length + 1), readFileSync(path, 'utf8')]),
    );
  };
});
afterAll(async () => {
  await stack?.close();
  await server?.close();
  rmSync(directory, { recursive: true, force: true });
  rmSync(repository.path, { recursive: true, force: true });
});

const run = async (submission: BuildSubmission & { image?: string }): Promise<ImageBuild> =>
  await stack.untilBuild(await submitImageBuild(stack.database, { ...submission, settings: stack.settings }));

test.each([
  ['HEAD', () => null, () => second, 'two'],
  ['a branch', () => 'stable', () => first, 'one'],
  ['a tag', () => 'v1', () => first, 'one'],
  ['a commit', () => first, () => first, 'one'],
])('an image from %s of a private repository', async (_, ref, commit, content) => {
  const build = await run({ repository: server.url, ref: ref() });
  expect(build).toMatchObject({ state: 'succeeded', failure: null, commit: commit() });
  expect(seen).toEqual({ Dockerfile: 'FROM scratch\n', 'a.txt': content });
  const log = (await stack.buildLog(build)).join('\n');
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
  const again = await stack.untilBuild(await retryBuild(stack.database, stack.settings, SYSTEM, build.id));
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

test('what the lock files of a repository pin is attached, and what cannot be read is told', async () => {
  const lock = (name: string) =>
    JSON.stringify({ lockfileVersion: 3, packages: { [`node_modules/${name}`]: { version: '1.0.0' } } });
  const commit = repository.commit({
    ...{ '.dockerignore': 'docs\n', 'package.json': '{}', 'package-lock.json': lock('express') },
    ...{ 'docs/package.json': '{}', 'docs/package-lock.json': lock('docusaurus') },
    ...{
      'api/requirements.txt': 'flask==2.0.1\nopen\n',
      'shop/Gemfile': '',
      'shop/Gemfile.lock': '<<<<<<< x',
    },
  });
  const build = await run({ image: 'locked', repository: server.url, ref: commit });
  expect(build).toMatchObject({ state: 'succeeded', failure: null, commit });
  const told =
    'shop/Gemfile.lock: The file shop/Gemfile.lock cannot be used: line 1: it contains merge conflicts';
  expect(await stack.buildLog(build)).toContain(`SBOM: ${told}`);
  const { subject, predicateType, predicate } = await attachedSbom(build);
  expect(predicateType).toBe('https://cyclonedx.org/bom');
  expect(subject).toEqual([{ name: build.imagePath, digest: { sha256: build.digest!.slice(7) } }]);
  const errors = cycloneDxErrors(JSON.stringify(predicate));
  expect(errors.filter((error) => !error.endsWith('has no SHA-256'))).toEqual([]);
  expect(predicate.metadata.component).toMatchObject({ name: expect.any(String), version: commit });
  expect(predicate.components.map(({ purl }) => purl)).toEqual([
    'pkg:npm/express@1.0.0',
    'pkg:pypi/flask@2.0.1',
  ]);
  expect(predicate.components[0]!.evidence).toEqual({ occurrences: [{ location: 'package-lock.json' }] });
  expect(predicate.metadata.properties).toEqual([
    { name: 'stowage:sbom:lock_file', value: 'api/requirements.txt' },
    { name: 'stowage:sbom:lock_file', value: 'package-lock.json' },
    { name: 'stowage:sbom:unread', value: told },
    {
      name: 'stowage:sbom:left_out',
      value: 'api/requirements.txt: Requirement must be pinned to an exact version: open',
    },
  ]);
});

test('a source without lock files has an SBOM that says so', async () => {
  const { predicate } = await attachedSbom(await run({ image: 'plain', repository: server.url, ref: first }));
  expect(predicate).toMatchObject({ components: [], metadata: { component: { version: first } } });
  expect(predicate.metadata).not.toHaveProperty('properties');
});

interface Sbom {
  subject: object[];
  predicateType: string;
  predicate: {
    metadata: { component: object; properties?: object[] };
    components: { purl: string; evidence: object }[];
  };
}

/** The statement in the envelope that the build has left. */
async function attachedSbom({ imagePath }: ImageBuild): Promise<Sbom> {
  const { database, blobs } = stack;
  const layers = await database.sql.query<{ digest: Digest }>(
    `select b.digest from manifests m join images i on i.id = m.image_id
       join manifest_blobs b on b.manifest_id = m.id
     where i.path = $1 and m.annotations->>'in-toto.io/predicate-type' = 'https://cyclonedx.org/bom'
     order by m.id desc, b.digest`,
    [imagePath],
  );
  for (const { digest } of layers) {
    const { payload } = JSON.parse((await blobs.readWhole(digest, 1_000_000)).toString()) as {
      payload?: string;
    };
    if (payload !== undefined) return JSON.parse(Buffer.from(payload, 'base64').toString()) as Sbom;
  }
  throw new Error('no SBOM is attached');
}
