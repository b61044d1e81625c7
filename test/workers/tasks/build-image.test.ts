import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findBuildRow } from '../../../src/domain/database/sql/image-build-rows.ts';
import { recordBlobs } from '../../../src/domain/database/sql/record-blobs.ts';
import { SYSTEM } from '../../../src/domain/identity/principal.ts';
import { BuildFailure } from '../../../src/domain/images/build-failure.ts';
import type { BuildSubmission } from '../../../src/domain/images/build-submission.ts';
import { cancelBuild, retryBuild } from '../../../src/domain/images/change-build.ts';
import type { ImageBuild } from '../../../src/domain/images/image-build.ts';
import { deletePublishedImage } from '../../../src/domain/images/published-images.ts';
import { startWorker } from '../../../src/workers/runner.ts';
import { type BuildingStack, startBuildingStack } from '../../support/building-stack.ts';
import { FakeImageBuilding, untilAborted } from '../../support/fake-image-builder.ts';
import { makeTar } from '../../support/gem-server.ts';
import { submitImageBuild, tagsOf } from '../../support/image-builds.ts';

const building = new FakeImageBuilding();
let stack: BuildingStack;
let uploadId: number;
let name = 0;

beforeAll(async () => {
  stack = await startBuildingStack(building, { STOWAGE_BUILD_CONCURRENCY: '2' });
  const { database, blobs } = stack;
  const blob = await blobs.write(makeTar({ Dockerfile: 'FROM scratch\n', 'src/a.txt': 'a' }));
  await recordBlobs(database.sql, [blob]);
  const [row] = await database.sql.query<{ id: number }>(
    `insert into uploads (file_name, digest, size) values ('s.tar', $1, $2) returning id`,
    [blob.digest, blob.size],
  );
  uploadId = row!.id;
});
afterAll(() => stack?.close());
beforeEach(() => {
  name += 1;
  building.work = async () => undefined;
});

const submit = (
  submission: BuildSubmission & { version?: string; image?: string } = {},
): Promise<ImageBuild> =>
  submitImageBuild(stack.database, { image: `image-${name}`, uploadId, ...submission });

const run = async (submission: BuildSubmission & { version?: string } = {}): Promise<ImageBuild> =>
  await stack.untilBuild(await submit(submission));

describe('a build of an uploaded archive', () => {
  test('ends in the registry, with attestations, a log and a result', async () => {
    building.work = async ({ onLine }) => {
      await onLine('STEP 1/1: FROM scratch');
    };
    const build = await run({ buildArguments: { A: '1' }, version: '1.0' });
    expect(build).toMatchObject({ state: 'succeeded', attempt: 1, failure: null, size: 40 });
    expect(await tagsOf(stack.database, build.imagePath)).toEqual({ '1.0': build.digest });
    const lines = await stack.buildLog(build);
    expect(lines).toEqual([
      'workspace is ready.',
      'STEP 1/1: FROM scratch',
      'Image has been pushed into the registry.',
    ]);
    const referrers = await stack.database.sql.query<{ subject: string }>(
      `select m.subject from manifests m join images i on i.id = m.image_id
       where i.path = $1 and m.subject is not null`,
      [build.imagePath],
    );
    // SBOM and provenance.
    expect(referrers).toEqual([{ subject: build.digest }, { subject: build.digest }]);
  });

  test('twice the same gives the same image', async () => {
    const [one, two] = [await run(), await run()];
    expect(one.digest).toBe(two.digest);
    expect(await tagsOf(stack.database, one.imagePath)).toEqual({ '1.0': one.digest });
  });

  test('gives the builder what was asked for', async () => {
    const build = await run({
      target: 'final',
      labels: { 'org.example.team': 'a' },
      secrets: { token: 'hunter2' },
      platform: 'linux/arm64',
      useCache: false,
      network: false,
      timeoutSeconds: 60,
      memoryBytes: 64 * 1024 ** 2,
      processes: 100,
    });
    expect(building.builds.at(-1)).toMatchObject({
      dockerfile: 'Dockerfile',
      target: 'final',
      labels: { 'org.example.team': 'a' },
      secrets: { token: 'hunter2' },
      platform: 'linux/arm64',
      useCache: false,
      isHermetic: true,
      limits: { seconds: 60, memoryBytes: 64 * 1024 ** 2, processes: 100 },
      destination: { path: build.imagePath, tag: `stowage-build-${build.id}-1` },
    });
  });

  test.each([
    [
      new BuildFailure('step-failed', 'step 2 failed', { line: 2, details: { exitStatus: 7 } }),
      { reason: 'step-failed', message: 'step 2 failed', details: { line: 2, exitStatus: 7 } },
    ],
    [
      new TypeError('cannot read properties of undefined'),
      {
        reason: 'internal',
        message: 'An unknown error occurred; the log of the worker names the cause',
        details: {},
      },
    ],
  ])('fails with a reason: %s', async (error, failure) => {
    building.work = () => Promise.reject(error);
    const build = await run();
    expect(build).toMatchObject({ state: 'failed', failure, digest: null });
    expect((await stack.buildLog(build)).at(-1)).toBe(failure.message);
    expect(await tagsOf(stack.database, build.imagePath)).toEqual({});
  });

  test('fails when the Dockerfile is not there', async () => {
    const build = await run({ dockerfile: 'docker/Dockerfile' });
    expect(build.failure?.reason).toBe('dockerfile-not-found');
  });
});

describe('a build that runs', () => {
  test('ends within two seconds when it is cancelled, and a retry makes the image', async () => {
    building.work = untilAborted;
    const build = await submit();
    await stack.untilBuild(build, ({ state }) => state === 'running');
    await expect.poll(() => building.builds.at(-1)?.destination.path).toBe(build.imagePath);
    const { signal } = building.builds.at(-1)!;
    const before = performance.now();
    await cancelBuild(stack.database, stack.settings, SYSTEM, build.id);
    if (!signal.aborted) await untilAborted(building.builds.at(-1)!);
    expect(performance.now() - before).toBeLessThan(2_000);
    building.work = async () => undefined;
    const retried = await retryBuild(stack.database, stack.settings, SYSTEM, build.id);
    expect(await stack.untilBuild(retried, ({ state }) => state === 'succeeded')).toMatchObject({
      attempt: 2,
      retries: 1,
    });
  });

  test('fails when its time is over', async () => {
    building.work = untilAborted;
    const build = await run({ timeoutSeconds: 1 });
    expect(build.failure).toEqual({
      reason: 'out-of-time',
      message: 'The build took longer than 1 seconds',
      details: { seconds: 1 },
    });
  });

  test('says at which line of the Dockerfile its time was over', async () => {
    building.work = async (input) => {
      input.onStep(2);
      input.onStep(5);
      await untilAborted(input);
    };
    const build = await run({ timeoutSeconds: 1 });
    expect(build.failure).toEqual({
      reason: 'out-of-time',
      message: 'The build took longer than 1 seconds; it was at line 5 of the Dockerfile',
      details: { line: 5, seconds: 1 },
    });
  });

  test('leaves nothing when its image is deleted meanwhile', async () => {
    building.work = untilAborted;
    const build = await stack.untilBuild(await submit(), ({ state }) => state === 'running');
    await expect.poll(() => building.builds.at(-1)?.destination.path).toBe(build.imagePath);
    await deletePublishedImage(stack.database, stack.settings, SYSTEM, build.imageId);
    await untilAborted(building.builds.at(-1)!);
    expect(await findBuildRow(stack.database.sql, build.id)).toBe(null);
    expect(await tagsOf(stack.database, build.imagePath)).toEqual({});
  });

  test('waits again when its worker stops, and another one does it', async () => {
    const { settings, database, blobs, hub } = stack;
    const other = new FakeImageBuilding();
    other.registry = building.registry;
    other.work = untilAborted;
    // Both places of the other worker are taken: the second one gets the build.
    building.work = untilAborted;
    const blockers = [await submit({ version: 'a' }), await submit({ version: 'b' })];
    for (const one of blockers) await stack.untilBuild(one, ({ state }) => state === 'running');
    const second = await startWorker({
      ...{ settings, database, blobs, hub, imageBuilding: other },
      logger: pino({ level: 'silent' }),
    });
    const build = await stack.untilBuild(await submit({ version: 'c' }), ({ state }) => state === 'running');
    expect(build.workerId).toBe(second.id);
    await second.stop(0);
    expect(await findBuildRow(database.sql, build.id)).toMatchObject({ state: 'queued', workerId: null });
    building.work = async () => undefined;
    for (const one of blockers) await cancelBuild(database, settings, SYSTEM, one.id);
    expect(await stack.untilBuild(build)).toMatchObject({ state: 'succeeded', attempt: 2 });
    expect(await stack.buildLog(build)).toContain('the worker stops: another one begins this build anew');
  });

  test('is not in the way of other jobs, and no more run than may', async () => {
    building.work = untilAborted;
    const builds = await Promise.all(['a', 'b', 'c'].map((version) => submit({ version })));
    const states = async () =>
      (await Promise.all(builds.map(({ id }) => findBuildRow(stack.database.sql, id)))).map(
        (one) => one!.state,
      );
    await expect.poll(async () => (await states()).sort()).toEqual(['queued', 'running', 'running']);
    const request = await stack.run({ repository: '/nonexistent', ref: 'a'.repeat(40), packageManagers: [] });
    expect(request.state).toBe('failed');
    expect((await states()).sort()).toEqual(['queued', 'running', 'running']);
    for (const { id } of builds) await cancelBuild(stack.database, stack.settings, SYSTEM, id);
  });
});

describe('the log of a build', () => {
  test('has every line in its order at full speed, and waits for the database', async () => {
    let waited = 0;
    building.work = async ({ onLine }) => {
      for (let n = 1; n <= 100_000; n += 1) {
        const full = onLine(`line ${n} of a test that fills the log as fast as it can`);
        if (full) {
          waited += 1;
          await full;
        }
      }
    };
    const build = await run();
    expect(build.state).toBe('succeeded');
    const lines = (await stack.buildLog(build)).filter((line) => line.startsWith('line '));
    expect(lines).toHaveLength(100_000);
    expect(lines.every((line, index) => line.startsWith(`line ${index + 1} `))).toBe(true);
    expect(waited).toBeGreaterThan(0);
  });

  test('shows no secrets, of several lines neither', async () => {
    building.work = async ({ onLine }) => {
      await onLine('login with hunter2-token and key part-one-of-key');
      await onLine('part-two-of-key; see https://user:pass@registry.example/');
      throw new BuildFailure('step-failed', 'curl -u hunter2-token failed', {
        details: { args: ['hunter2-token'] },
      });
    };
    const build = await run({
      secrets: { token: 'hunter2-token', key: 'part-one-of-key\npart-two-of-key\n' },
    });
    expect((await stack.buildLog(build)).slice(-3)).toEqual([
      'login with *** and key ***',
      '***; see https://***@registry.example/',
      'curl -u *** failed',
    ]);
    expect(build.failure).toMatchObject({ message: 'curl -u *** failed', details: { args: ['***'] } });
  });

  test('is cut with a marker, and its end is still there', async () => {
    const small = new FakeImageBuilding();
    small.work = async ({ onLine }) => {
      for (let n = 0; n < 50; n += 1) await onLine('x'.repeat(99));
      throw new BuildFailure('step-failed', 'the end');
    };
    const own = await startBuildingStack(small, { STOWAGE_BUILD_LOG_BYTES: '1024' });
    try {
      const blob = await own.blobs.write(makeTar({ Dockerfile: 'FROM scratch\n' }));
      await recordBlobs(own.database.sql, [blob]);
      const [row] = await own.database.sql.query<{ id: number }>(
        `insert into uploads (file_name, digest, size) values ('s.tar', $1, 1) returning id`,
        [blob.digest],
      );
      const build = await own.untilBuild(await submitImageBuild(own.database, { uploadId: row!.id }));
      expect(build.state).toBe('failed');
      const lines = await own.buildLog(build);
      expect(lines.filter((line) => line.startsWith('xxx'))).toHaveLength(10);
      expect(lines.slice(-3)).toEqual([
        '[output cut: of what follows nothing is kept, since it is more than 1024 bytes]',
        '[output cut: 40 lines were left out]',
        'the end',
      ]);
    } finally {
      await own.close();
    }
  });
});
