import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { requestEvents, submitRequest } from '../../src/cli/client/bundle-requests.ts';
import { StowageClient } from '../../src/cli/client/stowage-client.ts';
import { TestRepository } from '../support/git-repository.ts';
import { lockFileOf, manyPackages, type NpmRegistry, startNpmRegistry } from '../support/npm-registry.ts';
import { type Deployment, startDeployment } from './deployment.ts';

describe('gateways and workers on a PostgreSQL in a container', () => {
  let npm: NpmRegistry;
  let repository: TestRepository;
  let deployment: Deployment;

  beforeAll(async () => {
    npm = await startNpmRegistry(manyPackages(20));
    repository = new TestRepository({
      'package.json': JSON.stringify({ name: 'app', version: '1.0.0' }),
      'package-lock.json': lockFileOf(npm, null),
    });
    deployment = await startDeployment(
      { gateways: 1, workers: 1 },
      { STOWAGE_GIT_ALLOWED_PROTOCOLS: 'file', STOWAGE_NPM_REGISTRY: npm.url },
    );
  });
  afterAll(async () => {
    await deployment?.close();
    await npm.close();
    await rm(repository.path, { recursive: true, force: true });
  });

  test('a request completes', async () => {
    const client = new StowageClient(deployment);
    const number = await submitRequest(client, {
      repository: `file://${repository.path}`,
      ref: repository.head,
    });
    const finalStates: unknown[] = [];
    for await (const event of requestEvents(client, number, { signal: AbortSignal.timeout(60_000) })) {
      if (event.type !== 'state') continue;
      const { state } = event.data as { state: string };
      if (state !== 'in_progress') finalStates.push(state);
    }
    expect(finalStates).toEqual(['complete']);
    await deployment.endProcesses();
    expect([...deployment.gateways, ...deployment.workers].flatMap((one) => one.complaints)).toEqual([]);
  });
});
