import Fastify from 'fastify';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { registerHealth } from '../../../src/gateway/health/register-health.ts';
import { TestRepository } from '../../support/git-repository.ts';
import { lockFileOf, manyPackages, startNpmRegistry } from '../../support/npm-registry.ts';
import { startWorkerStack } from '../../support/worker-stack.ts';

test('what workers download and find in the store arrives in the metrics of a gateway', async () => {
  const registry = await startNpmRegistry(manyPackages(4));
  const stack = await startWorkerStack({ STOWAGE_NPM_REGISTRY: registry.url });
  const app = Fastify();
  try {
    const repository = new TestRepository({
      'package.json': JSON.stringify({ name: 'app', version: '1.0.0' }),
      'package-lock.json': lockFileOf(registry, null),
    });
    for (let run = 0; run < 2; run += 1) await stack.run({ repository: repository.path, ref: 'main' });
    await stack.worker.stop();
    registerHealth(app, { ...stack, logger: pino({ level: 'silent' }) });
    const lines = (await app.inject('/metrics')).body.split('\n');
    const bytes = registry.packages.reduce((sum, one) => sum + one.tarball.length, 0);
    expect(lines).toEqual(
      expect.arrayContaining([
        'stowage_workers 0',
        'stowage_downloads_total 4',
        'stowage_download_failures_total 0',
        'stowage_download_retries_total 0',
        `stowage_download_bytes_total ${bytes}`,
        'stowage_download_cache_hits_total 4',
        'stowage_jobs_total{task="assemble-bundle",outcome="succeeded"} 2',
        'stowage_bundle_requests{state="complete"} 2',
        'stowage_bundle_request_duration_seconds_count{state="complete"} 2',
      ]),
    );
  } finally {
    await app.close();
    await stack.close();
    await registry.close();
  }
});
