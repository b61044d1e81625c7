import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestGateway } from '../../../support/gateway.ts';
import { TestRepository } from '../../../support/git-repository.ts';
import { StepBarrier } from '../../../support/step-barrier.ts';
import { CachitoCalls } from './cachito-calls.ts';

/** A worker that is not ours ends a request while one of ours is at it (cachito.md 1.9). */
let gateway: TestGateway;
let client: CachitoCalls;
const source = new TestRepository({ README: 'hello' });

beforeAll(async () => {
  gateway = await TestGateway.start({ environment: { STOWAGE_WORKER_USERNAMES: 'ada' }, worker: true });
  client = new CachitoCalls(gateway);
});

afterAll(async () => {
  await gateway?.close();
  await rm(source.path, { recursive: true, force: true });
});

const submit = () => client.submit({ repo: source.path, ref: source.head, pkg_managers: [] });

test.each(['complete', 'failed', 'stale'])('%s: nothing of ours comes after it', async (state) => {
  const { database, untilFinal } = gateway.stack;
  const barrier = await StepBarrier.raise(database.url, 'fetch-source', 'running');
  const id = await submit();
  await barrier.untilReached();
  // Waits for the row that our worker holds just now.
  const change = client.call('PATCH', `/requests/${id}`, { body: { state, state_reason: 'from outside' } });
  await barrier.lower();
  expect((await change).status).toBe(200);
  const after = await client.request(id);

  const next = await submit();
  expect((await untilFinal(next)).state).toBe('complete');
  expect(await client.request(id)).toEqual(after);
  expect(after.state_history.map((entry: { state_reason: string }) => entry.state_reason)).toEqual([
    'from outside',
    'Fetching the application source',
    'The request was initiated',
  ]);
});

test('what our worker has ended stays as it is', async () => {
  const id = await submit();
  await gateway.stack.untilFinal(id);
  const before = await client.request(id);
  expect(before).toMatchObject({ state: 'complete', state_reason: 'Completed successfully' });
  const body = { state: 'failed', state_reason: 'too late' };
  expect(await client.json('PATCH', `/requests/${id}`, { body })).toEqual([
    400,
    { error: 'State transition is not allowed from complete to failed.' },
  ]);
  expect(await client.request(id)).toEqual(before);
});
