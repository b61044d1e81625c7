import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { returnStep, takeStep } from '../../src/domain/bundle-requests/run-step.ts';
import type { Database } from '../../src/domain/database/database.ts';
import { insertUpload } from '../../src/domain/database/sql/insert-upload.ts';
import { recordBlobs } from '../../src/domain/database/sql/record-blobs.ts';
import { untilOver } from '../../src/domain/tracing/span.ts';
import { startBuildingStack } from '../support/building-stack.ts';
import { FakeImageBuilding } from '../support/fake-image-builder.ts';
import { TestGateway } from '../support/gateway.ts';
import { makeTar } from '../support/gem-server.ts';
import { TestRepository } from '../support/git-repository.ts';
import { submitImageBuild } from '../support/image-builds.ts';
import { lockFileOf, manyPackages, startNpmRegistry } from '../support/npm-registry.ts';
import { type CollectedSpan, pathsOf, TraceCollector, testTracing } from '../support/trace-collector.ts';

const SUBMIT = `mutation Submit($input: SubmitBundleRequestInput!) {
  result: submitBundleRequest(input: $input) {
    ... on MutationSubmitBundleRequestSuccess { data { number } } ... on Error { message }
  }
}`;

/** What follows an end, such as the compaction of a log, is over as well. */
async function untilIdle({ sql }: Database): Promise<void> {
  const waiting = `select count(*) as count from graphile_worker._private_jobs where key like '%:%'`;
  const look = async (): Promise<void> => expect(await sql.query(waiting)).toEqual([{ count: 0 }]);
  await vi.waitFor(look, { timeout: 20_000, interval: 20 });
}

describe('A request that is done', () => {
  let collector: TraceCollector;
  let gateway: TestGateway;
  let spans: CollectedSpan[];
  let number: number;

  beforeAll(async () => {
    collector = await TraceCollector.start();
    const npm = await startNpmRegistry(manyPackages(3));
    const repository = new TestRepository({
      'package.json': JSON.stringify({ name: 'app', version: '1.0.0' }),
      'package-lock.json': lockFileOf(npm, null),
    });
    const tracing = await testTracing(collector.url);
    const environment = { STOWAGE_NPM_REGISTRY: npm.url };
    gateway = await TestGateway.start({ worker: true, environment, tracing });
    const input = { repository: repository.path, packageManagers: ['NPM'], project: 'apps' };
    number = (await gateway.data(SUBMIT, { input })).result.data.number;
    expect((await gateway.stack.untilFinal(number)).state).toBe('complete');
    await untilIdle(gateway.stack.database);
    await gateway.close();
    await tracing.close();
    await npm.close();
    ({ spans } = collector);
  });
  afterAll(async () => {
    await collector?.close();
  });

  test('is one trace, from the POST through its jobs to their phases', () => {
    const [request] = spans.filter(({ name }) => name === 'POST /graphql');
    expect(request!.parentSpanId).toBe(null);
    const mine = spans.filter(({ traceId }) => traceId === request!.traceId);
    const job = 'POST /graphql > mutation Submit > ';
    // How often a job waits for the disk is its own affair.
    expect(pathsOf(mine).filter((path) => !path.endsWith('sync blobs'))).toEqual(
      [
        'POST /graphql',
        'POST /graphql > mutation Submit',
        ...[
          'fetch-source',
          'fetch-source > take step',
          'fetch-source > resolve ref',
          'fetch-source > fetch commit',
          'fetch-source > record source',
          'resolve-packages',
          'resolve-packages > take step',
          'resolve-packages > resolve npm',
          'resolve-packages > resolve npm > download',
          'resolve-packages > record packages',
          'assemble-bundle',
          'assemble-bundle > take step',
          'assemble-bundle > assemble archive',
          'assemble-bundle > write documents',
          'assemble-bundle > record bundle',
          'assemble-bundle > record bundle > compact-log',
        ].map((path) => `${job}${path}`),
      ].sort(),
    );
  });

  test('says what was done, by numbers and names only', () => {
    const of = (name: string): unknown => spans.find((span) => span.name === name)!.attributes;
    expect(of('POST /graphql')).toEqual({
      'http.request.method': 'POST',
      'http.route': '/graphql',
      'http.response.status_code': 200,
      'stowage.request_id': expect.any(String),
    });
    expect(of('mutation Submit')).toEqual({
      'graphql.operation.type': 'mutation',
      'graphql.operation.name': 'Submit',
    });
    expect(of('resolve-packages')).toEqual({
      'stowage.task': 'resolve-packages',
      'stowage.step': 'resolve-packages.npm',
      'stowage.step.attempt': 1,
      'stowage.outcome': 'succeeded',
      'stowage.request': number,
      'stowage.worker': gateway.stack.worker.id,
      'stowage.job': expect.any(Number),
      'stowage.job.attempt': 1,
      'stowage.job.age_seconds': expect.any(Number),
    });
    expect(of('download')).toEqual({
      'stowage.files': 3,
      'stowage.files.cached': 0,
      'stowage.bytes': expect.any(Number),
    });
    expect(new Set(spans.map(({ service }) => service))).toEqual(new Set(['stowage-test']));
    expect(spans.filter(({ isError }) => isError)).toEqual([]);
  });

  test('is found in the log by its trace', () => {
    const { traceId, spanId } = spans.find(({ name }) => name === 'POST /graphql')!;
    expect(gateway.logged).toContainEqual(
      expect.objectContaining({ msg: 'request', url: '/graphql', trace_id: traceId, span_id: spanId }),
    );
  });
});

describe('A gateway without a worker', () => {
  const GIVEN = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' };
  const TRACEPARENT = `00-${GIVEN.traceId}-${GIVEN.spanId}-01`;

  const traced = async (
    environment: Record<string, string>,
    work: (gateway: TestGateway) => Promise<void>,
    otel: Record<string, string> = {},
  ): Promise<TraceCollector> => {
    const collector = await TraceCollector.start();
    const tracing = await testTracing(collector.url, otel);
    const imageBuilding = new FakeImageBuilding();
    const gateway = await TestGateway.start({ environment, tracing, imageBuilding });
    try {
      await work(gateway);
    } finally {
      await gateway.close();
      await tracing.close();
      await collector.close();
    }
    return collector;
  };
  const input = {
    repository: 'https://ada:hunter2@git.example/a.git',
    packageManagers: ['NPM'],
    project: 'apps',
  };
  const payloads = async (gateway: TestGateway): Promise<Record<string, unknown>[]> =>
    (
      await gateway.stack.database.sql.query<{ payload: Record<string, unknown> }>(
        'select payload from graphile_worker._private_jobs where key like $1 order by id',
        ['step:%'],
      )
    ).map(({ payload }) => payload);

  test('goes on with the trace of a trusted proxy; the texts of clients are in none', async () => {
    const ask = async (gateway: TestGateway): Promise<void> => {
      const query = `query Mine { me { name } bundleRequests(repository: "https://ada:hunter2@git.example/a.git") { totalCount } }`;
      await gateway.post({ query }, 'ada', { traceparent: TRACEPARENT });
      await gateway.post({ query: '{ me { name } }' }, 'ada', { traceparent: `ff${TRACEPARENT.slice(2)}` });
      await fetch(`${gateway.url}/api/v1/requests?secret=hunter2`, { headers: { traceparent: TRACEPARENT } });
      await fetch(`${gateway.url}/readyz`);
      await gateway.graphql(SUBMIT, { input });
    };
    const trusting = await traced({ STOWAGE_TRUSTED_PROXIES: 'loopback' }, ask);
    const roots = trusting.spans.filter(({ name }) => /^(GET|POST) /.test(name));
    // Batches may overtake one another.
    expect(
      roots
        .map(({ name, traceId, parentSpanId }) => `${name} ${traceId === GIVEN.traceId} ${parentSpanId}`)
        .sort(),
    ).toEqual([
      `GET /api/v1/requests true ${GIVEN.spanId}`,
      'POST /graphql false null',
      'POST /graphql false null',
      `POST /graphql true ${GIVEN.spanId}`,
    ]);
    expect(JSON.stringify(trusting.bodies)).not.toContain('hunter2');
  });

  test('gives the trace to every job of a request: to one that was begun before, too, and a new one to a retry', async () => {
    const traces: string[] = [];
    const collector = await traced({}, async (gateway) => {
      const { database } = gateway.stack;
      await gateway.post({ query: '{ me { name } }' }, 'ada', { traceparent: TRACEPARENT });
      const number = (await gateway.data(SUBMIT, { input })).result.data.number;
      const [first] = await payloads(gateway);
      traces.push(String(first!.traceparent).split('-')[1]!);
      const payload = first as unknown as Parameters<typeof takeStep>[1];
      const lease = await takeStep(database, payload, '00000000-0000-4000-8000-00000000000a');
      await database.sql.query('delete from graphile_worker._private_jobs');
      await returnStep(database, lease!);
      expect(await payloads(gateway)).toEqual([first]);

      const change = (field: string): string =>
        `mutation ${field}($n: Int!) { ${field}(number: $n) { __typename } }`;
      await gateway.data(change('cancelBundleRequest'), { n: number });
      await gateway.data(change('retryBundleRequest'), { n: number });
      const retried = (await payloads(gateway)).at(-1)!;
      traces.push(String(retried.traceparent).split('-')[1]!);
    });
    const traceOf = (name: string) =>
      collector.spans.find((span) => span.name === `mutation ${name}`)?.traceId;
    expect(traces).toEqual([traceOf('Submit'), traceOf('retryBundleRequest')]);
    expect(traces[0]).not.toBe(traces[1]);
    // Nobody is trusted here.
    expect(collector.spans.filter(({ traceId }) => traceId === GIVEN.traceId)).toEqual([]);
  });

  test('says of a trace that is left out that it is: nothing is sent by others either', async () => {
    let traceparent: unknown;
    const collector = await traced(
      {},
      async (gateway) => {
        await gateway.data(SUBMIT, { input });
        traceparent = (await payloads(gateway))[0]!.traceparent;
      },
      { OTEL_TRACES_SAMPLER: 'always_off' },
    );
    expect(collector.bodies).toEqual([]);
    expect(traceparent).toMatch(/^00-[\da-f]{32}-[\da-f]{16}-00$/);
  });
});

test('a build is one trace, with the lines of its Dockerfile', async () => {
  const collector = await TraceCollector.start();
  const tracing = await testTracing(collector.url);
  const building = new FakeImageBuilding();
  building.work = async ({ onStep }) => {
    for (const line of [1, 1, 3, 1]) onStep(line);
  };
  const stack = await startBuildingStack(building, {}, tracing);
  const { database, blobs } = stack;
  const blob = await blobs.write(makeTar({ Dockerfile: 'FROM scratch\n' }));
  await recordBlobs(database.sql, [blob]);
  const upload = await insertUpload(database.sql, { ...blob, userId: null, fileName: 'source.tar' });
  const asked = tracing.start('asked', { kind: 'server', parent: null, attributes: {} });
  const { id } = await untilOver(asked, () => submitImageBuild(database, { uploadId: upload.id }));
  expect((await stack.untilBuild({ id })).state).toBe('succeeded');
  await untilIdle(database);
  await stack.close();
  await tracing.close();
  await collector.close();
  const build = 'asked > build-image';
  expect(
    pathsOf(collector.spans.filter(({ traceId }) => traceId === asked.traceId)).filter(
      (path) => !path.endsWith('sync blobs'),
    ),
  ).toEqual([
    'asked',
    build,
    `${build} > attest image`,
    `${build} > attest image > read-sbom`,
    `${build} > build image`,
    `${build} > build image > line 1`,
    `${build} > build image > line 3`,
    `${build} > prepare context`,
    `${build} > record build`,
    `${build} > record build > compact-log`,
  ]);
});

test('without tracing jobs say nothing of traces', async () => {
  const gateway = await TestGateway.start();
  const input = { repository: 'https://git.example/a.git', packageManagers: ['NPM'], project: 'apps' };
  await gateway.data(SUBMIT, { input });
  const { sql } = gateway.stack.database;
  const [job] = await sql.query<{ payload: object }>(
    "select payload from graphile_worker._private_jobs where key like 'step:%'",
  );
  const [request] = await sql.query('select trace_parent as traceparent from bundle_requests');
  expect([Object.keys(job!.payload), request]).toEqual([
    ['requestId', 'stepId', 'requestAttempt'],
    { traceparent: null },
  ]);
  await gateway.close();
});
