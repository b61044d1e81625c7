import { hostname } from 'node:os';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../../src/domain/database/database.ts';
import { announceGateway, withdrawGateway } from '../../../src/domain/database/sql/gateway-addresses.ts';
import { gatewayUrl } from '../../../src/workers/builders/gateway-url.ts';
import { testDatabase } from '../../support/database.ts';

const ID = '00000000-0000-4000-8000-000000000001';
const URL_HERE = 'http://127.0.0.1:1';

let database: Database;
const announce = () =>
  announceGateway(database.sql, { id: ID, host: hostname(), localUrl: URL_HERE, remoteUrl: null });

beforeAll(async () => {
  database = await testDatabase();
});
afterEach(() => withdrawGateway(database.sql, ID));
afterAll(() => database.close());

test('a gateway that runs is there at once', async () => {
  await announce();
  const onWait = (): never => expect.unreachable();
  expect(await gatewayUrl(database.sql, { signal: AbortSignal.timeout(10_000), onWait })).toBe(URL_HERE);
});

test('one that comes up after the worker is waited for, which is said once', async () => {
  let waits = 0;
  let announced: Promise<void> | null = null;
  const onWait = (): void => {
    waits += 1;
    announced = announce();
  };
  expect(await gatewayUrl(database.sql, { signal: AbortSignal.timeout(30_000), onWait })).toBe(URL_HERE);
  await announced;
  expect(waits).toBe(1);
});

test('when none comes, the builder cannot be used', async () => {
  const waiting = gatewayUrl(database.sql, {
    signal: AbortSignal.timeout(30_000),
    onWait: () => undefined,
    waitMs: 300,
  });
  await expect(waiting).rejects.toMatchObject({
    code: 'builder-unavailable',
    message: 'There is no registry to push to: no gateway runs',
  });
});

test('a build that is cancelled waits no more', async () => {
  const abort = new AbortController();
  const reason = new Error('cancelled');
  const waiting = gatewayUrl(database.sql, { signal: abort.signal, onWait: () => abort.abort(reason) });
  await expect(waiting).rejects.toBe(reason);
});
