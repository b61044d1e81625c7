import { spawnSync } from 'node:child_process';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { openDatabase } from '../../src/domain/database/database.ts';
import { startWorker } from '../../src/workers/runner.ts';
import { CuttableConnection } from '../support/cuttable-connection.ts';
import { createTestDatabase, dropTestDatabase } from '../support/database.ts';
import { TestGateway } from '../support/gateway.ts';
import { TestRepository } from '../support/git-repository.ts';
import { BOUNDARY, uploadBody } from '../support/multipart.ts';

const SUBMIT = `mutation ($repository: String!) {
  submitBundleRequest(input: { repository: $repository, packageManagers: [] }) {
    ... on MutationSubmitBundleRequestSuccess { data { number } } } }`;
const EVENTS = 'subscription ($number: Int!) { bundleRequestEvents(number: $number) { type data } }';

describe('When a service is away', () => {
  const repository = new TestRepository({ 'README.md': 'a source\n' });
  let gateway: TestGateway;
  let after: (() => Promise<unknown>)[] = [];
  /** Before the gateway and its stack are closed. */
  let undo = async (): Promise<void> => undefined;
  afterEach(async () => {
    await undo();
    undo = async () => undefined;
    await gateway?.close();
    for (const close of after.toReversed()) await close();
    after = [];
  });

  const submit = async (): Promise<number> => {
    const data = await gateway.data(SUBMIT, { repository: repository.path });
    return data.submitBundleRequest.data.number;
  };
  const readiness = async (): Promise<{ status: number; failed: string[] }> => {
    const response = await fetch(`${gateway.url}/readyz`);
    const { checks } = (await response.json()) as { checks: Record<string, { ok: boolean }> };
    const failed = Object.keys(checks).filter((name) => !checks[name]!.ok);
    return { status: response.status, failed };
  };
  const READY = { status: 200, failed: [] };
  const untilReady = () => expect.poll(readiness, { timeout: 20_000 }).toEqual(READY);
  /** Reads on to the final state. */
  const finalState = async (events: ReturnType<TestGateway['sse']>): Promise<string> => {
    for await (const { data } of events) {
      const event = data.bundleRequestEvents;
      if (event.type === 'STATE' && event.data.state !== 'in_progress') return event.data.state;
    }
    throw new Error('the subscription ended');
  };

  test('the database: writes are refused, what was accepted goes on by itself, subscribers see its end', async () => {
    const direct = await createTestDatabase();
    const { url, connection } = await CuttableConnection.to(direct);
    const database = await openDatabase({ url, connections: 5 });
    after = [() => dropTestDatabase(direct), () => connection.close()];
    gateway = await TestGateway.start({ database });
    await untilReady();
    const number = await submit();
    const events = gateway.sse(EVENTS, { number });
    await events.next();
    connection.cut();

    expect(await readiness()).toMatchObject({ status: 503, failed: expect.arrayContaining(['database']) });
    expect((await fetch(`${gateway.url}/livez`)).status).toBe(200);
    const { errors } = await gateway.graphql(SUBMIT, { repository: repository.path });
    const refused = await fetch(`${gateway.url}/api/v1/requests`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...gateway.headers('ada') },
      body: JSON.stringify({ repo: 'https://git.example/a.git', ref: 'a'.repeat(40) }),
    });
    const pull = await fetch(`${gateway.url}/v2/apps/a/b/manifests/1`, { headers: gateway.headers('ada') });
    expect([errors[0]?.extensions?.code, refused.status, pull.status]).toEqual([
      'database-unavailable',
      503,
      503,
    ]);

    connection.mend();
    await untilReady();
    const worker = await startWorker({ ...gateway.stack, logger: pino({ level: 'silent' }) });
    undo = () => worker.stop(0);
    expect(await finalState(events)).toBe('complete');
    // Nothing of what was refused is there.
    const { bundleRequests } = await gateway.data('{ bundleRequests { nodes { number state } } }');
    expect(bundleRequests.nodes).toEqual([{ number, state: 'COMPLETE' }]);
  });

  test('space on the disk: uploads are refused, what was accepted waits and is done when there is room', async () => {
    gateway = await TestGateway.start({ worker: true });
    const { blobs, database } = gateway.stack;
    await mkdir(blobs.root, { recursive: true });
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', blobs.root]);
    if (mounted.status !== 0) {
      console.warn(`no small disk here: ${mounted.stderr}`);
      return;
    }
    undo = async () => void spawnSync('umount', ['--lazy', blobs.root]);
    await untilReady();
    const filler = join(blobs.root, 'filler');
    await fillUp(filler);

    expect(await readiness()).toEqual({ status: 503, failed: ['blobStore'] });
    const upload = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
        'x-stowage-csrf': '1',
        ...gateway.headers('ada'),
      },
      body: new Uint8Array(uploadBody({ name: 'a.tar', content: Buffer.alloc(100_000, 'x') })),
    });
    const { errors } = (await upload.json()) as { errors?: { extensions: { code: string } }[] };
    expect(errors?.[0]?.extensions.code).toBe('blob-store-unavailable');
    expect(await database.sql.query('select from uploads')).toEqual([]);

    const number = await submit();
    const job = `select last_error ~ 'ENOSPC|no space' as "isFull" from graphile_worker.jobs
      where key like 'step:%' and attempts > 0 and locked_at is null`;
    await expect.poll(() => database.sql.query(job), { timeout: 20_000 }).toEqual([{ isFull: true }]);
    const { bundleRequest } = await gateway.data(
      'query ($number: Int!) { bundleRequest(number: $number) { state } }',
      {
        number,
      },
    );
    expect(bundleRequest.state).toBe('IN_PROGRESS');

    await rm(filler);
    await untilReady();
    // Its next attempt would be some seconds later.
    await database.sql.query(
      'update graphile_worker._private_jobs set run_at = now() where locked_at is null',
    );
    expect(await finalState(gateway.sse(EVENTS, { number }))).toBe('complete');
  });

  const fillUp = async (path: string): Promise<void> => {
    const file = await open(path, 'w');
    const piece = Buffer.alloc(4096);
    let error: NodeJS.ErrnoException | null = null;
    while (error === null) {
      await file.write(piece).catch((reason: NodeJS.ErrnoException) => {
        error = reason;
      });
    }
    await file.close();
    expect(error).toMatchObject({ code: 'ENOSPC' });
  };
});
