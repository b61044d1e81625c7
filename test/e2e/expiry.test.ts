import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addJob } from '../../src/domain/database/sql/add-job.ts';
import { CachitoClient } from '../support/cachito-client.ts';
import { deletedBlobs } from '../support/deleted-blobs.ts';
import { TestGateway } from '../support/gateway.ts';
import { TestRepository } from '../support/git-repository.ts';
import { lockFileOf, manyPackages, type NpmRegistry, startNpmRegistry } from '../support/npm-registry.ts';

/** cachito.md 1.9, 2.4: what is left of a request whose time is over, seen by its clients. */
describe('a request that expires', { timeout: 60_000 }, () => {
  let gateway: TestGateway;
  let client: CachitoClient;
  let registry: NpmRegistry;
  let repository: TestRepository;
  let expired: number;
  let kept: number;
  let registryUrl: string;
  let credentials: string;

  const get = (path: string): Promise<Response> => fetch(`${gateway.url}/api/v1/requests/${expired}${path}`);
  const answerOf = async (path: string): Promise<[number, unknown]> => {
    const response = await get(path);
    return [response.status, await response.json()];
  };
  const sql = () => gateway.stack.database.sql;
  const pingRegistry = async (): Promise<number> => {
    const headers = { authorization: `Basic ${credentials.replaceAll('"', '')}` };
    return (await fetch(new URL('-/ping', registryUrl), { headers })).status;
  };
  const runTask = async (task: 'expire-requests' | 'collect-garbage'): Promise<void> => {
    await addJob(sql(), task, {}, { key: task });
    for await (const _ of gateway.stack.hub.follow('jobs', AbortSignal.timeout(20_000), async () => {
      const left = await sql().query('select from graphile_worker.jobs where task_identifier = $1', [task]);
      return left.length === 0 ? [true] : [];
    })) {
      return;
    }
    throw new Error(`${task} did not end`);
  };

  beforeAll(async () => {
    registry = await startNpmRegistry(manyPackages(3));
    gateway = await TestGateway.start({
      worker: true,
      environment: { STOWAGE_NPM_REGISTRY: registry.url },
    });
    client = new CachitoClient(gateway.url, gateway.headers('ada'));
    repository = new TestRepository({
      'package.json': JSON.stringify({ name: 'fixture-application', version: '1.0.0' }),
      'package-lock.json': lockFileOf(registry, null),
    });
    const submit = async (ref: string) => {
      const id = await client.submit({ repo: repository.path, ref, pkg_managers: ['npm'] });
      expect(await client.untilFinal(id)).toMatchObject({ state: 'complete' });
      return id;
    };
    expired = await submit(repository.head);
    kept = await submit(repository.commit({ 'README.md': 'another commit\n' }));
    const files = (await (await get('/configuration-files')).json()) as { path: string; content: string }[];
    const npmrc = Buffer.from(files.find(({ path }) => path === 'app/.npmrc')!.content, 'base64').toString();
    registryUrl = /^registry=(\S+)/m.exec(npmrc)![1]!;
    credentials = /:_auth=(\S+)/.exec(npmrc)![1]!;
    expect(await pingRegistry()).toBe(200);

    await sql().query(`update bundle_requests set updated_at = now() - interval '25 hours' where id = $1`, [
      expired,
    ]);
    await runTask('expire-requests');
  }, 60_000);
  afterAll(async () => {
    await gateway.close();
    await registry.close();
  });

  test('is stale, for everybody to see why, with its counts and without its packages', async () => {
    const request = await client.read(expired);
    expect(request).toMatchObject({
      state: 'stale',
      state_reason: 'The request has expired',
      packages: [],
      dependencies: [],
      pkg_managers: ['npm'],
    });
    expect(request.state_history[0]).toEqual({
      state: 'stale',
      state_reason: 'The request has expired',
      updated: request.updated,
    });
    expect(request.state_history[1]).toMatchObject({ state: 'complete' });
    const list = (await (await fetch(`${gateway.url}/api/v1/requests?state=stale`)).json()) as {
      items: unknown[];
    };
    expect(list.items).toMatchObject([{ id: expired, packages: 1, dependencies: 3 }]);
    expect(await client.read(kept)).toMatchObject({ state: 'complete' });
  });

  test('has no archive, log or packages, and still an empty manifest', async () => {
    expect(await answerOf('/download')).toEqual([
      400,
      { error: 'The request must be in the "complete" state before downloading the archive' },
    ]);
    expect(await answerOf('/logs')).toEqual([
      410,
      { error: `The logs for the Cachito request ${expired} no longer exist` },
    ]);
    expect(await answerOf('/packages')).toEqual([404, { error: 'The requested resource was not found' }]);
    expect(await answerOf('/content-manifest')).toMatchObject([200, { image_contents: [] }]);
  });

  test('keeps configuration and environment, whose credentials open nothing', async () => {
    expect((await get('/environment-variables')).status).toBe(200);
    expect((await get('/configuration-files')).status).toBe(200);
    expect(await pingRegistry()).toBe(401);
  });

  test('cannot become anything else any more', async () => {
    const mutation = `mutation { retryBundleRequest(number: ${expired}) { ... on Error { message } } }`;
    const { retryBundleRequest } = await gateway.data(mutation, {}, 'admin');
    expect(retryBundleRequest).toEqual({
      message: `Request ${expired} is stale; only a failed or cancelled request can be retried`,
    });
    expect(await client.read(expired)).toMatchObject({ state: 'stale' });
  });

  test('gives back what no other request needs, and the next one for the same commit completes', async () => {
    const bundles = async () => (await sql().query('select from bundles')).length;
    const before = (await sql().query('select from blobs')).length;
    expect(await bundles()).toBe(2);
    await sql().query(`update bundles set last_used_at = now() - interval '2 hours'`);
    await sql().query(`update source_members set last_used_at = now() - interval '2 hours'`);
    await sql().query(`update blobs set created_at = now() - interval '2 hours'`);
    await runTask('collect-garbage');
    expect(await bundles()).toBe(1);
    const after = (await sql().query('select from blobs')).length;
    expect(after).toBeLessThan(before);
    expect(await deletedBlobs(sql(), 0)).toEqual([]);

    const archive = await fetch(`${gateway.url}/api/v1/requests/${kept}/download`);
    expect(archive.status).toBe(200);
    expect((await archive.arrayBuffer()).byteLength).toBe(Number(archive.headers.get('content-length')));
    const ref = repository.git('rev-parse', 'HEAD~1').trim();
    const again = await client.submit({ repo: repository.path, ref, pkg_managers: ['npm'] });
    expect(await client.untilFinal(again)).toMatchObject({ state: 'complete' });
    const second = await fetch(`${gateway.url}/api/v1/requests/${again}/download`);
    expect(second.status).toBe(200);
    expect((await second.arrayBuffer()).byteLength).toBe(Number(second.headers.get('content-length')));
  });
});
