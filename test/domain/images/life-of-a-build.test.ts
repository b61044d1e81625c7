import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { readSettings } from '../../../src/domain/config.ts';
import type { Database } from '../../../src/domain/database/database.ts';
import { deleteUnusedUploads } from '../../../src/domain/database/sql/delete-unused-uploads.ts';
import { findBuildRow } from '../../../src/domain/database/sql/image-build-rows.ts';
import { readSubjectEvents } from '../../../src/domain/database/sql/read-events.ts';
import { readLogStream } from '../../../src/domain/database/sql/read-log-lines.ts';
import { ConflictError, NotFoundError } from '../../../src/domain/errors.ts';
import { collectGarbage } from '../../../src/domain/garbage/collect-garbage.ts';
import { graceOf } from '../../../src/domain/garbage/garbage.ts';
import { SYSTEM } from '../../../src/domain/identity/principal.ts';
import { createProject } from '../../../src/domain/identity/projects.ts';
import { BuildFailure } from '../../../src/domain/images/build-failure.ts';
import { readBuildLog } from '../../../src/domain/images/build-log.ts';
import { cancelBuild, retryBuild } from '../../../src/domain/images/change-build.ts';
import { queuePosition } from '../../../src/domain/images/find-builds.ts';
import type { ImageBuild } from '../../../src/domain/images/image-build.ts';
import { createPublishedImage, deletePublishedImage } from '../../../src/domain/images/published-images.ts';
import {
  buildLeaseHolds,
  failBuild,
  finishBuild,
  returnBuild,
} from '../../../src/domain/images/run-build.ts';
import { stagingTag } from '../../../src/domain/images/staging-tag.ts';
import { LeaseLostError } from '../../../src/domain/lease-lost.ts';
import { compactLog } from '../../../src/domain/logs/compact-log.ts';
import { LogWriter } from '../../../src/domain/logs/log-writer.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { testDatabase } from '../../support/database.ts';
import { pushResult, submitImageBuild, tagsOf, takeImageBuild } from '../../support/image-builds.ts';

const settings = readSettings({});
const two = readSettings({ STOWAGE_PROJECT_BUILD_CONCURRENCY: '2' });
const FAILURE = { reason: 'step-failed', message: 'step 2 failed', details: { line: 2 } } as const;

let database: Database;
beforeAll(async () => {
  database = await testDatabase();
  await createProject(database, SYSTEM, { name: 'apps' });
  await createProject(database, SYSTEM, { name: 'tools' });
});
afterAll(() => database.close());

async function stateOf({ id }: ImageBuild): Promise<string> {
  return (await findBuildRow(database.sql, id))!.state;
}

async function statesOf({ id }: ImageBuild): Promise<string[]> {
  const events = await readSubjectEvents(database.sql, 'image-build', id, 0, 100);
  return events.map(({ type, data }) => (type === 'state' ? String(data.state) : type));
}

async function jobsOf({ id }: ImageBuild): Promise<number> {
  const [row] = await database.sql.query<{ count: number }>(
    'select count(*) from graphile_worker.jobs where key = $1',
    [`build:${id}`],
  );
  return row!.count;
}

describe('a build', () => {
  test('waits with a job, runs, and ends with the tag of its version on what was pushed', async () => {
    const build = await submitImageBuild(database, { image: 'plain', version: '1' });
    expect(build).toMatchObject({
      state: 'queued',
      isAdmitted: true,
      imagePath: 'apps/images/plain',
      tag: '1',
      options: { dockerfile: 'Dockerfile', isHermetic: false, useCache: true, secretIds: [] },
    });
    expect(await jobsOf(build)).toBe(1);

    const lease = (await takeImageBuild(database, build))!;
    expect(lease.build).toMatchObject({ state: 'running', attempt: 1 });
    const result = await pushResult(database, lease);
    expect(Object.keys(await tagsOf(database, 'apps/images/plain'))).toEqual([stagingTag(lease.build)]);
    await finishBuild(database, settings, lease, result);

    expect(await tagsOf(database, 'apps/images/plain')).toEqual({ 1: result.digest });
    expect(await findBuildRow(database.sql, build.id)).toMatchObject({
      ...{ state: 'succeeded', digest: result.digest, size: 1234, isAdmitted: false, workerId: null },
      builder: { name: 'fake', version: '1' },
    });
    expect(await statesOf(build)).toEqual(['queued', 'running', 'succeeded']);
    await expect(retryBuild(database, settings, SYSTEM, build.id)).rejects.toThrow(
      `Build ${build.id} has succeeded; only a failed or cancelled build can be retried`,
    );
    await expect(cancelBuild(database, settings, SYSTEM, build.id)).rejects.toThrow(ConflictError);
  });

  test('fails when its image is not in the registry after all', async () => {
    const lease = (await takeImageBuild(database, await submitImageBuild(database, { image: 'nothing' })))!;
    const result = { ...(await pushResult(database, lease)), digest: `sha256:${'0'.repeat(64)}` as const };
    await expect(finishBuild(database, settings, lease, result)).rejects.toThrow(BuildFailure);
    expect(await stateOf(lease.build)).toBe('running');
  });

  test('of which a worker dies is done again by another, and the first one changes nothing any more', async () => {
    const build = await submitImageBuild(database, { image: 'fenced' });
    const dead = (await takeImageBuild(database, build))!;
    const lease = (await takeImageBuild(database, build, '00000000-0000-4000-8000-00000000000c'))!;
    expect(lease.build.attempt).toBe(2);
    expect([await buildLeaseHolds(database, dead), await buildLeaseHolds(database, lease)]).toEqual([
      false,
      true,
    ]);
    await expect(finishBuild(database, settings, dead, await pushResult(database, dead))).rejects.toThrow(
      LeaseLostError,
    );
    expect(await failBuild(database, settings, dead, FAILURE)).toBe(false);
    await finishBuild(database, settings, lease, await pushResult(database, lease, '8'));
    expect(await tagsOf(database, 'apps/images/fenced')).toEqual({ '1.0': `sha256:${'8'.repeat(64)}` });
    expect(await statesOf(build)).toEqual(['queued', 'running', 'queued', 'running', 'succeeded']);
  });

  test('that its worker gives back waits with a new job and keeps its place', async () => {
    const build = await submitImageBuild(database, { image: 'returned' });
    const lease = (await takeImageBuild(database, build))!;
    expect(await returnBuild(database, lease)).toBe(true);
    expect(await findBuildRow(database.sql, build.id)).toMatchObject({ state: 'queued', isAdmitted: true });
    expect(await jobsOf(build)).toBe(1);
    expect((await takeImageBuild(database, build))!.build.attempt).toBe(2);
  });

  test('that failed is retried with its secrets only, and jobs from before change nothing', async () => {
    const build = await submitImageBuild(database, { image: 'retried', secrets: { token: 'hunter2' } });
    const lease = (await takeImageBuild(database, build))!;
    expect(lease.secrets).toEqual({ token: 'hunter2' });
    await failBuild(database, settings, lease, FAILURE);
    expect(await findBuildRow(database.sql, build.id)).toMatchObject({ state: 'failed', failure: FAILURE });
    expect(
      await database.sql.query('select from image_build_secrets where build_id = $1', [build.id]),
    ).toEqual([]);

    await expect(retryBuild(database, settings, SYSTEM, build.id)).rejects.toThrow(
      `Build ${build.id} needs its secrets again: token`,
    );
    const again = await retryBuild(database, settings, SYSTEM, build.id, { token: 'hunter3' });
    expect(again).toMatchObject({ state: 'queued', retries: 1, failure: null, isAdmitted: true });
    expect(await takeImageBuild(database, build)).toBe(null);
    expect((await takeImageBuild(database, again))!.secrets).toEqual({ token: 'hunter3' });
  });

  test('that is cancelled is over at once, and again changes nothing', async () => {
    const build = await submitImageBuild(database, { image: 'stopped' });
    const lease = (await takeImageBuild(database, build))!;
    await pushResult(database, lease);
    const cancelled = await cancelBuild(database, settings, SYSTEM, build.id);
    expect(cancelled).toMatchObject({
      state: 'cancelled',
      failure: { reason: 'cancelled', message: 'The build was cancelled by system', details: {} },
    });
    expect(await tagsOf(database, 'apps/images/stopped')).toEqual({});
    expect(await cancelBuild(database, settings, SYSTEM, build.id)).toEqual(cancelled);
    expect(await buildLeaseHolds(database, lease)).toBe(false);
  });
});

describe('versions', () => {
  test('published once: refused while it is built and when it was, taken when it failed', async () => {
    const once = { image: 'once', policy: 'once' } as const;
    await expect(submitImageBuild(database, once)).rejects.toThrow(
      new NotFoundError('Image with this name: once does not exist'),
    );
    await createPublishedImage(database, SYSTEM, { projectName: 'apps', repository: 'images', name: 'once' });
    const first = await submitImageBuild(database, once);
    await expect(submitImageBuild(database, once)).rejects.toThrow(
      new ConflictError('A build of version:1.0 for image:once is in progress'),
    );
    await failBuild(database, settings, (await takeImageBuild(database, first))!, FAILURE);
    const lease = (await takeImageBuild(database, await submitImageBuild(database, once)))!;
    await finishBuild(database, settings, lease, await pushResult(database, lease));
    await expect(submitImageBuild(database, once)).rejects.toThrow(
      new ConflictError('You already have a successful image built with version:1.0 for image:once'),
    );
  });

  test('two publications of one version at the same moment: one of them is refused', async () => {
    await createPublishedImage(database, SYSTEM, { projectName: 'apps', repository: 'images', name: 'race' });
    const both = await Promise.allSettled(
      [1, 2].map(() => submitImageBuild(database, { image: 'race', policy: 'once' })),
    );
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  test('the tag stays on the newest build that succeeded, in whichever order they end', async () => {
    const older = (await takeImageBuild(database, await submitImageBuild(database, { image: 'order' })))!;
    const newer = (await takeImageBuild(database, await submitImageBuild(database, { image: 'order' })))!;
    await finishBuild(database, settings, newer, await pushResult(database, newer, 'b'));
    await finishBuild(database, settings, older, await pushResult(database, older, 'a'));
    expect(await tagsOf(database, 'apps/images/order')).toEqual({ '1.0': `sha256:${'b'.repeat(64)}` });
    expect(await stateOf(older.build)).toBe('succeeded');
  });
});

describe('places of a project', () => {
  test('others wait without a job, know their position, and come in their order', async () => {
    const builds: ImageBuild[] = [];
    for (let n = 0; n < 5; n += 1) {
      builds.push(await submitImageBuild(database, { project: 'tools', image: `p${n}`, settings: two }));
    }
    const [first, second, third, fourth, fifth] = builds as [ImageBuild, ImageBuild, ...ImageBuild[]];
    const overview = async () =>
      await Promise.all(
        builds.map(async (build) => [await jobsOf(build), await queuePosition(database, build)]),
      );
    expect(await overview()).toEqual([
      [1, 1],
      [1, 2],
      [0, 3],
      [0, 4],
      [0, 5],
    ]);
    const lease = (await takeImageBuild(database, first))!;
    expect(await queuePosition(database, third!)).toBe(2);
    await failBuild(database, two, lease, FAILURE);
    expect(await overview()).toEqual([
      [1, null],
      [1, 1],
      [1, 2],
      [0, 3],
      [0, 4],
    ]);
    await cancelBuild(database, two, SYSTEM, second.id);
    await cancelBuild(database, two, SYSTEM, fifth!.id);
    expect(await jobsOf(fourth!)).toBe(1);
    expect(await queuePosition(database, fourth!)).toBe(2);
    const again = await retryBuild(database, two, SYSTEM, first.id);
    expect(again.isAdmitted).toBe(false);
    expect(await queuePosition(database, again)).toBe(3);
  });

  test('no more are retried than may wait', async () => {
    await createProject(database, SYSTEM, { name: 'full' });
    const failed = await submitImageBuild(database, { project: 'full', image: 'failed' });
    await failBuild(database, settings, (await takeImageBuild(database, failed))!, FAILURE);
    await submitImageBuild(database, { project: 'full', image: 'waiting' });
    const one = readSettings({ STOWAGE_PROJECT_BUILD_LIMIT: '1' });
    await expect(retryBuild(database, one, SYSTEM, failed.id)).rejects.toMatchObject({
      code: 'too-many-requests',
      details: { queued: 1, limit: 1 },
    });
    expect(await stateOf(failed)).toBe('failed');
  });

  test('those that wait are told when they move up, and not who is the first anyway', async () => {
    await createProject(database, SYSTEM, { name: 'line' });
    const submit = (n: number) =>
      submitImageBuild(database, { project: 'line', image: `l${n}`, settings: two });
    const builds: ImageBuild[] = [];
    for (const n of [1, 2, 3, 4]) builds.push(await submit(n));
    const [first, second, third, fourth] = builds as [ImageBuild, ImageBuild, ImageBuild, ImageBuild];
    const told = async ({ id }: ImageBuild) =>
      (await readSubjectEvents(database.sql, 'image-build', id, 0, 100)).map(({ type, data }) =>
        type === 'queue' ? data.position : data.state,
      );
    expect(await told(fourth)).toEqual(['queued']);
    const lease = (await takeImageBuild(database, first))!;
    expect(await told(fourth)).toEqual(['queued', 3]);
    await failBuild(database, two, lease, FAILURE);
    await cancelBuild(database, two, SYSTEM, second.id);
    expect(await told(second)).toEqual(['queued', 1, 'cancelled']);
    expect(await told(fourth)).toEqual(['queued', 3, 2]);
    await retryBuild(database, two, SYSTEM, second.id);
    const again = (await takeImageBuild(database, third))!;
    await returnBuild(database, again);
    expect(await told(third)).toEqual(['queued', 2, 1, 'running', 'queued']);
    expect(await told(fourth)).toEqual(['queued', 3, 2, 1, 2]);
    expect(await told(second)).toEqual(['queued', 1, 'cancelled', 'queued', 2, 3]);
  });

  test('in a long queue those at its end are not told of every step', async () => {
    await createProject(database, SYSTEM, { name: 'long' });
    const builds: ImageBuild[] = [];
    for (let n = 0; n < 25; n++) {
      builds.push(await submitImageBuild(database, { project: 'long', image: `n${n}`, settings: two }));
    }
    for (const build of builds.slice(0, 20)) await cancelBuild(database, two, SYSTEM, build.id);
    const events = await readSubjectEvents(database.sql, 'image-build', builds[24]!.id, 0, 100);
    expect(events.slice(1).map(({ data }) => data.position)).toEqual([20, 10, 9, 8, 7, 6, 5]);
  });

  test('many at once never take more places than there are, and none is forgotten', async () => {
    await createProject(database, SYSTEM, { name: 'crowd' });
    const builds = await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        submitImageBuild(database, { project: 'crowd', image: `c${n}`, settings: two }),
      ),
    );
    const admitted = async () => {
      const rows = await Promise.all(builds.map(({ id }) => findBuildRow(database.sql, id)));
      return rows.filter((row) => row!.isAdmitted).map((row) => row!);
    };
    for (let ended = 0; ended < 12; ended += 2) {
      const running = await admitted();
      expect(running).toHaveLength(2);
      await Promise.all(running.map((build) => cancelBuild(database, two, SYSTEM, build.id)));
    }
    expect(await admitted()).toEqual([]);
  });
});

test.each([
  ['abc', 'The secret "token" has less than 4 characters: it could not be kept out of the log'],
  ['  a\n ', 'The secret "token" has less than 4 characters: it could not be kept out of the log'],
  ['', 'The secret "token" has less than 4 characters: it could not be kept out of the log'],
  ['x'.repeat(70_000), 'The secret "token" has more than 65536 characters'],
])('no secret is %j, neither at first nor again', async (value, message) => {
  const build = await submitImageBuild(database, { image: 'secret', secrets: { token: 'long enough' } });
  await cancelBuild(database, settings, SYSTEM, build.id);
  const secrets = { token: value };
  await expect(submitImageBuild(database, { image: 'secret', secrets })).rejects.toThrow(message);
  await expect(retryBuild(database, settings, SYSTEM, build.id, secrets)).rejects.toThrow(message);
});

describe('deleting a published image', () => {
  test('cancels its builds, takes its tags, and lets go of those that a late worker holds', async () => {
    const done = (await takeImageBuild(
      database,
      await submitImageBuild(database, { image: 'gone', version: 'a' }),
    ))!;
    await finishBuild(database, settings, done, await pushResult(database, done));
    const running = (await takeImageBuild(
      database,
      await submitImageBuild(database, { image: 'gone', version: 'b' }),
    ))!;
    const waiting = await submitImageBuild(database, { image: 'gone', version: 'c' });
    const result = await pushResult(database, running, 'c');

    await deletePublishedImage(database, settings, SYSTEM, running.build.imageId);
    expect(await tagsOf(database, 'apps/images/gone')).toEqual({});
    expect(await findBuildRow(database.sql, waiting.id)).toBe(null);
    expect(await statesOf(waiting)).toEqual(['queued', 'cancelled']);
    await expect(finishBuild(database, settings, running, result)).rejects.toThrow(LeaseLostError);
    expect(await takeImageBuild(database, waiting)).toBe(null);
    await expect(deletePublishedImage(database, settings, SYSTEM, running.build.imageId)).rejects.toThrow(
      NotFoundError,
    );
    // The name is free again.
    expect((await submitImageBuild(database, { image: 'gone' })).imagePath).toBe('apps/images/gone');
  });
});

describe('the uploaded source of a build', () => {
  test('is kept until its time is over, and the build without it cannot be retried', async () => {
    const build = await submitImageBuild(database, { image: 'aged' });
    const uploads = async () =>
      (await database.sql.query('select from uploads where id = $1', [build.uploadId])).length;
    const age = (days: number) =>
      database.sql.query(
        `with older as (update uploads set created_at = now() - make_interval(days => $2) where id = $3)
         update image_builds set finished_at = finished_at - make_interval(days => $2) where id = $1`,
        [build.id, days, build.uploadId],
      );
    await age(40);
    await deleteUnusedUploads(database.sql, settings.buildSourceLifetime);
    expect(await uploads()).toBe(1);
    await failBuild(database, settings, (await takeImageBuild(database, build))!, FAILURE);
    await deleteUnusedUploads(database.sql, settings.buildSourceLifetime);
    expect(await uploads()).toBe(1);
    await age(40);
    await deleteUnusedUploads(database.sql, settings.buildSourceLifetime);
    expect(await uploads()).toBe(0);
    expect(await findBuildRow(database.sql, build.id)).toMatchObject({ state: 'failed', uploadId: null });
    await expect(retryBuild(database, settings, SYSTEM, build.id)).rejects.toThrow(
      `The uploaded source of build ${build.id} is not kept any more; upload it again`,
    );
  });
});

describe('the log of a build', () => {
  test('stays in the store as long as its image, and goes with it', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'stowage-build-logs-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const blobs = new FileBlobStore(directory);
    const collect = () => collectGarbage({ database, blobs, grace: graceOf(0), strayFiles: false });
    const lease = (await takeImageBuild(database, await submitImageBuild(database, { image: 'logged' })))!;
    const { id, imageId } = lease.build;
    const subject = { subjectType: 'image-build', subjectId: id } as const;
    const writer = new LogWriter(database, subject, 'build');
    writer.info('STEP 1/1: FROM scratch');
    await writer.flush();
    await failBuild(database, settings, lease, FAILURE);
    await compactLog(database, blobs, subject);
    const digest = (await readLogStream(database.sql, subject))!.digest!;

    await collect();
    expect(await blobs.size(digest)).toBeGreaterThan(0);
    const { totalLines } = await readBuildLog({ database, blobs }, SYSTEM, id);
    expect(totalLines).toBe(1);

    await deletePublishedImage(database, settings, SYSTEM, imageId);
    await collect();
    expect(await blobs.size(digest)).toBe(null);
    await expect(readBuildLog({ database, blobs }, SYSTEM, id)).rejects.toThrow(NotFoundError);
  });
});
