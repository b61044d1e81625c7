import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readOutcome } from '../../src/cli/client/bundle-requests.ts';
import { readBuild } from '../../src/cli/client/image-builds.ts';
import { StowageClient } from '../../src/cli/client/stowage-client.ts';
import { outputFiles, writeOutputs } from '../../src/cli/prefetch/outputs.ts';
import { verifyFile } from '../../src/cli/verify/run.ts';
import { collectGarbage } from '../../src/domain/garbage/collect-garbage.ts';
import { S3BlobStore } from '../../src/domain/storage/s3-blob-store.ts';
import { leftovers, NO_LEFTOVERS } from '../support/leftovers.ts';
import { type Deployment, startDeployment } from './deployment.ts';
import { type Fault, injectFaults } from './faults.ts';
import { type Accepted, Load } from './load.ts';
import { OciClient } from './oci-client.ts';
import { patiently } from './patience.ts';
import { Random } from './random.ts';
import { deadJobs, heldRows, hurry, type Job, jobsOf, leftIn, renewals, unfinished } from './reckoning.ts';
import { Upstreams } from './upstreams.ts';

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);

/**
 * Issue 7: an operator kills any process without losing anything. `SEED=…` gives the faults and the load of a run again.
 */
describe('two gateways and three workers under faults', () => {
  let upstreams: Upstreams;
  let deployment: Deployment;
  let faults: Map<Fault, number>;
  let accepted: Accepted;
  let requests: Map<number, Job>;
  let builds: Map<number, Job>;
  const summary: string[] = [`seed ${SEED}`];

  beforeAll(async () => {
    const random = new Random(SEED);
    console.log(`seed ${SEED}`);
    upstreams = await Upstreams.start();
    deployment = await startDeployment(
      { gateways: 2, workers: 3 },
      {
        ...upstreams.environment,
        STOWAGE_WORKER_CONCURRENCY: '3',
        STOWAGE_BUILD_CONCURRENCY: '1',
        STOWAGE_USER_REPRESENTATIVES: 'ada',
      },
    );
    const load = new Load(deployment, upstreams, random.fork());
    accepted = load.accepted;
    [faults] = await Promise.all([injectFaults(deployment, random.fork()), load.run()]);
  });

  afterAll(async () => {
    console.log(summary.join('\n'));
    for (const { subscriber } of accepted?.followed ?? []) subscriber.leave();
    for (const feed of accepted?.feeds ?? []) feed.leave();
    await deployment?.close();
    await upstreams?.close();
  });

  test('no process fails by itself, and every accepted job reaches one final state', async () => {
    const { database, gateways, workers } = deployment;
    const left = async (): Promise<string[]> => {
      await hurry(database);
      return await unfinished(database);
    };
    await expect.poll(left, { timeout: 180_000, interval: 500 }).toEqual([]);
    expect([...gateways, ...workers].flatMap(({ complaints }) => complaints)).toEqual([]);
    expect(await deadJobs(database)).toEqual([]);
    requests = await jobsOf(database, 'bundle-request');
    builds = await jobsOf(database, 'image-build');
    const once = { failure: null, endings: 1 };
    for (const { id, state, failure, endings } of requests.values()) {
      expect({ request: id, state, failure, endings }).toEqual({ request: id, state: 'complete', ...once });
    }
    for (const { id, state, failure, endings } of builds.values()) {
      expect({ build: id, state, failure, endings }).toEqual({ build: id, state: 'succeeded', ...once });
    }
    expect(accepted.requests.filter((number) => !requests.has(number))).toEqual([]);
    expect(accepted.builds.filter((number) => !builds.has(number))).toEqual([]);
    const told = accepted.requests.length + accepted.builds.length;
    summary.push(
      `faults: ${[...faults].map(([fault, times]) => `${times} × ${fault}`).join(', ')}`,
      `queues that workers lost and took up again: ${await renewals(database)}`,
      `jobs: ${requests.size} requests, ${builds.size} builds, each with one final state; ${told} of them were accepted, ` +
        `${accepted.lostAnswers} answers were lost; ${accepted.tags.size} pushes`,
    );
  });

  test('every subscriber saw every version in order', async () => {
    const numbered = (count: number): string[] =>
      Array.from({ length: count }, (_, index) => String(index + 1));
    for (const { kind, number, subscriber } of accepted.followed) {
      await subscriber.ended();
      const { versions, lines } = (kind.startsWith('request') ? requests : builds).get(number)!;
      expect([kind, number, versions.map(String)]).toEqual([kind, number, numbered(versions.length)]);
      const all = numbered(kind.endsWith('events') ? versions.length : lines);
      expect([kind, number, subscriber.seen]).toEqual([kind, number, all]);
    }
    const subscribers = [...accepted.followed.map(({ subscriber }) => subscriber), ...accepted.feeds];
    const resumed = subscribers.reduce((sum, subscriber) => sum + subscriber.resumed, 0);
    summary.push(`subscriptions: ${subscribers.length}, resumed ${resumed} times`);
  });

  test('who followed all requests saw every version of each, once and in order', async () => {
    const all = [...requests.values()].flatMap(({ id, versions }) => versions.map((one) => `${id}.${one}`));
    for (const feed of accepted.feeds) {
      await expect
        .poll(() => [feed.transport, feed.seen.length, feed.end], { timeout: 30_000 })
        .toEqual([feed.transport, all.length, null]);
      const byRequest = feed.seen.toSorted(
        (one, other) => Number.parseInt(one, 10) - Number.parseInt(other, 10),
      );
      expect([feed.transport, byRequest]).toEqual([feed.transport, all]);
    }
  });

  test('every tag pulls', async () => {
    const client = new StowageClient(deployment);
    for (const number of accepted.builds) {
      const build = (await patiently(() => readBuild(client, number))).answer!;
      accepted.tags.set(build.reference, build.digest!);
    }
    const oci = new OciClient(deployment);
    for (const [reference, digest] of accepted.tags) {
      const [name = '', tag = ''] = reference.split(/:(?=[^:]*$)/);
      expect([reference, await oci.pull(name, tag)]).toEqual([reference, digest]);
    }
  });

  test('every bundle verifies', async () => {
    const client = new StowageClient(deployment);
    const signal = AbortSignal.timeout(100_000);
    const key = join(deployment.directory, 'public.pem');
    const { keys } = (await (await client.send('/keys', {})).json()) as { keys: { pem: string }[] };
    await writeFile(key, keys[0]!.pem);
    for (const number of requests.keys()) {
      const { bundle } = (await readOutcome(client, number))!;
      const directory = join(deployment.directory, `bundle-${number}`);
      await mkdir(directory);
      const archive = join(directory, 'bundle.tar.gz');
      await writeOutputs(client, number, bundle!, outputFiles(archive), {
        sbomFormat: 'cyclonedx-1.6',
        signal,
        onProgress: () => undefined,
      });
      const { ok, problems } = await verifyFile(archive, { key }, signal, () => undefined);
      expect([number, ok, problems]).toEqual([number, true, []]);
    }
  });

  test('no row is locked, and nothing is left in the middle', async () => {
    const { database, directory, s3 } = deployment;
    expect(await heldRows(database)).toEqual([]);
    await deployment.endProcesses();
    expect([...deployment.gateways, ...deployment.workers].flatMap(({ complaints }) => complaints)).toEqual(
      [],
    );
    const names = [...deployment.gateways, ...deployment.workers].map(({ name }) => name);
    await expect.poll(() => leftIn(directory, names), { timeout: 10_000 }).toEqual([]);
    // As if the time had passed that things are left alone, and a collection that was killed is waited for.
    await database.sql.query(`update garbage_runs set renewed_at = '-infinity' where state = 'running'`);
    const blobs = new S3BlobStore(s3.location(), { temporaryAgeMs: -2_000 });
    const grace = { content: -2, bytes: -2, uploads: -2, images: -2 };
    const collected = await collectGarbage({ database, blobs, grace, strayFiles: true });
    const swept = await blobs.sweepTemporaryFiles();
    expect(await leftovers(database, blobs, join(directory, names[0]!))).toEqual(NO_LEFTOVERS);
    expect((await s3.objects()).filter((key) => !/^blobs\/(sha256\/|check$)/.test(key))).toEqual([]);
    summary.push(`swept: ${swept} writes that were broken off, ${JSON.stringify(collected!.removed)}`);
  });
});
