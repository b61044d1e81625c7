import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSettings } from '../../src/domain/config.ts';
import { openRegistry, type Registry } from '../../src/domain/registry/registry.ts';
import { BuildahBuilder } from '../../src/workers/builders/buildah-builder.ts';
import { UpstreamImages } from '../../src/workers/builders/upstream-images/upstream-images.ts';
import { DownloadScheduler } from '../../src/workers/downloads/scheduler.ts';
import { BUSYBOX, BuildStack, canBuild } from '../support/build-stack.ts';
import { RegistryStack } from '../support/registry-stack.ts';

describe.runIf(canBuild())('a base image of another registry', { timeout: 120_000 }, () => {
  let upstream: RegistryStack;
  let stack: BuildStack;
  let registry: Registry;
  let scheduler: DownloadScheduler;
  let builder: BuildahBuilder;
  let isAway = false;

  beforeAll(async () => {
    stack = await BuildStack.start();
    upstream = await RegistryStack.start({ STOWAGE_REGISTRY_ANONYMOUS: 'pull' });
    const settings = readSettings({
      STOWAGE_DATA_DIR: join(stack.directory, 'data'),
      STOWAGE_IMAGE_MIRRORS: `hub.example=${upstream.url}/apps/images`,
    });
    const { database, blobs } = stack.registry;
    registry = openRegistry({ settings, database, blobs });
    scheduler = new DownloadScheduler(settings, { retryPolicy: { retries: 0, wait: () => 1 } });
    const images = new UpstreamImages({ settings, registry, scheduler, askTools: async () => null });
    builder = new BuildahBuilder(settings, images);
  });

  afterAll(async () => {
    await builder?.settled();
    if (!isAway) await upstream?.close();
    await scheduler?.close();
    await registry?.close();
    await stack?.close();
  });

  it('is copied into our registry, and built from there, also when the other one is away', async () => {
    const { destination } = stack.input({});
    const base = await stack.build(
      { Dockerfile: `${BUSYBOX}\nENV GREETING=hi` },
      { destination: { ...destination, url: upstream.url, path: 'apps/images/base', tag: 'v1' } },
    );
    const files = { Dockerfile: 'FROM hub.example/base:v1\nRUN echo $GREETING from upstream' };
    for (const away of [false, true]) {
      if (away) await upstream.close();
      isAway = away;
      const input = stack.input(files, { useCache: false });
      const built = await builder.build(input);
      expect(built.baseImages).toEqual([{ name: 'hub.example/base:v1', digest: base.digest }]);
      expect(input.lines).toContain('hi from upstream');
      expect(input.lines.some((line) => line.startsWith('Warning: hub.example/base'))).toBe(isAway);
    }
    const failing = builder.build(stack.input({ Dockerfile: '\nFROM hub.example/other:v1' }));
    await expect(failing).rejects.toMatchObject({
      ...{ code: 'base-image-not-found', retryable: true },
      details: { line: 2, image: 'hub.example/other:v1', retryable: true },
    });
  });
});
