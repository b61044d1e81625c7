import { afterAll, beforeAll, expect, test } from 'vitest';
import { longStatus, shortStatus } from '../../../../src/gateway/rest/cachito/shapes/status.ts';
import { TestGateway } from '../../../support/gateway.ts';

let gateway: TestGateway;

const get = async (path: string): Promise<[number, string]> => {
  const response = await fetch(`${gateway.url}/api/v1${path}`);
  return [response.status, await response.text()];
};

beforeAll(async () => {
  gateway = await TestGateway.start({ environment: { STOWAGE_PACKAGE_MANAGERS: 'pip,gomod' } });
});
afterAll(async () => {
  await gateway?.close();
});

test('the services of a gateway without workers', async () => {
  const [status, text] = await get('/status');
  expect(status).toBe(200);
  expect(JSON.parse(text)).toMatchObject({
    can_process: { gomod: false, pip: false },
    services: [
      { name: 'database', ok: true },
      { name: 'queue', ok: true },
      { name: 'storage', ok: true },
    ],
    workers: [],
  });
  expect(await get('/status/short')).toEqual([503, '{"ok":false,"reason":"no workers are available"}\n']);
});

test('shapes', () => {
  const status = {
    services: [
      { name: 'database', ok: true, reason: null },
      { name: 'queue', ok: false, reason: 'broker connection failed' },
    ],
    workers: [{ name: 'stowage@host', ok: false, reason: 'Node did not respond to ping' }],
    canProcess: [
      { packageManager: 'GIT_SUBMODULE', ok: false },
      { packageManager: 'NPM', ok: true },
    ],
    unavailable: 'queue unavailable: broker connection failed',
  };
  expect(longStatus(status)).toEqual({
    can_process: { 'git-submodule': false, npm: true },
    services: [
      { name: 'database', ok: true },
      { name: 'queue', ok: false, reason: 'broker connection failed' },
    ],
    workers: [{ name: 'stowage@host', ok: false, reason: 'Node did not respond to ping' }],
  });
  expect(shortStatus(status)).toEqual({ ok: false, reason: 'queue unavailable: broker connection failed' });
  expect(shortStatus({ unavailable: null })).toEqual({ ok: true });
});
