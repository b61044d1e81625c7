import { findBuildRow } from '../../src/domain/database/sql/image-build-rows.ts';
import { SYSTEM } from '../../src/domain/identity/principal.ts';
import { createProject } from '../../src/domain/identity/projects.ts';
import { readBuildLog } from '../../src/domain/images/build-log.ts';
import { hasEnded, type ImageBuild } from '../../src/domain/images/image-build.ts';
import { openRegistry } from '../../src/domain/registry/registry.ts';
import type { Tracing } from '../../src/domain/tracing/tracing.ts';
import type { FakeImageBuilding } from './fake-image-builder.ts';
import { startWorkerStack, type WorkerStack } from './worker-stack.ts';

/** A worker whose builds do what the test wants, a registry for their images, and the project `apps`. */
export interface BuildingStack extends WorkerStack {
  /** The build when it is so, by default when it has ended. */
  untilBuild(build: Pick<ImageBuild, 'id'>, isSo?: (build: ImageBuild) => boolean): Promise<ImageBuild>;
  buildLog(build: Pick<ImageBuild, 'id'>): Promise<string[]>;
}

export async function startBuildingStack(
  building: FakeImageBuilding,
  environment: Record<string, string> = {},
  tracing?: Tracing,
): Promise<BuildingStack> {
  const stack = await startWorkerStack(environment, {
    imageBuilding: building,
    ...(tracing && { tracing }),
  });
  const { settings, database, blobs, hub } = stack;
  const registry = openRegistry({ settings, database, blobs });
  building.registry = registry;
  await createProject(database, SYSTEM, { name: 'apps' });
  return {
    ...stack,
    async untilBuild({ id }, isSo = hasEnded) {
      for await (const _ of hub.subject('image-build', id, 0, AbortSignal.timeout(20_000))) {
        const now = (await findBuildRow(database.sql, id))!;
        if (isSo(now)) return now;
      }
      throw new Error(`build ${id} is ${(await findBuildRow(database.sql, id))?.state}`);
    },
    async buildLog({ id }) {
      const { pages } = await readBuildLog({ database, blobs }, SYSTEM, id);
      const lines: string[] = [];
      for await (const page of pages(0)) lines.push(...page.map(({ text }) => text));
      return lines;
    },
    async close() {
      await registry.close();
      await stack.close();
    },
  };
}
