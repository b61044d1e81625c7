import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { probeServices } from '../../../src/domain/status/probe-services.ts';
import { startWorkerStack, type WorkerStack } from '../../support/worker-stack.ts';

describe('what a worker says about the services that it needs', () => {
  const asked: string[] = [];
  let server: Server;
  let stack: WorkerStack;
  beforeAll(async () => {
    server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? '-'}`);
      if (request.url?.startsWith('/hangs/')) return;
      response.statusCode = Number(/^\/(\d+)\//.exec(request.url ?? '')?.[1] ?? 200);
      response.end('{}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const base = `http://127.0.0.1:${port}`;
    stack = await startWorkerStack({
      STOWAGE_NPM_REGISTRY: `http://user:secret@127.0.0.1:${port}/503/npm`,
      STOWAGE_PYPI_INDEX: `${base}/404/simple`,
      STOWAGE_GOPROXY: `${base}/hangs/go,direct`,
      STOWAGE_RUBYGEMS_SOURCE: 'http://127.0.0.1:9',
    });
  });
  afterAll(async () => {
    await stack.close();
    server.closeAllConnections();
    server.close();
  });

  test('nothing is probed before somebody asks; then everything, in time, with credentials', async () => {
    expect(asked).toEqual([]);
    const started = performance.now();
    const status = await probeServices(stack);
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(status).toEqual({
      services: [
        { name: 'database', ok: true, reason: null },
        { name: 'queue', ok: true, reason: null },
        { name: 'storage', ok: true, reason: null },
        { name: 'git', ok: true, reason: null },
        { name: 'npm-registry', ok: false, reason: '503: Service Unavailable' },
        { name: 'pypi', ok: true, reason: null },
        { name: 'go-proxy', ok: false, reason: 'connection failed' },
        { name: 'rubygems', ok: false, reason: 'connection failed' },
      ],
      workers: [{ name: `stowage@${hostname()}`, ok: true, reason: null }],
      canProcess: [
        { packageManager: 'gomod', ok: false },
        { packageManager: 'npm', ok: false },
        { packageManager: 'pip', ok: true },
        { packageManager: 'git-submodule', ok: true },
        { packageManager: 'yarn', ok: false },
        { packageManager: 'rubygems', ok: false },
      ],
    });
    expect(asked.toSorted()).toEqual([
      'GET /404/simple/pip/ -',
      'GET /503/npm/ Basic dXNlcjpzZWNyZXQ=',
      'GET /hangs/go -',
    ]);
  });

  test('a second look does not ask again', async () => {
    const before = asked.length;
    await probeServices({ ...stack, database: { sql: stack.database.sql } });
    expect(asked.length).toBe(before);
  });
});
