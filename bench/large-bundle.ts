import type { TestRepository } from '../test/support/git-repository.ts';
import type { BenchContext } from './benchmark.ts';
import { startPart } from './child-process.ts';
import type { DownloadServer } from './download-server.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { npmProject } from './npm-project.ts';
import { newRepository } from './prefetch.ts';
import { type PrefetchStack, startPrefetchStack } from './prefetch-stack.ts';

const FILE_BYTES = 16 * 1024 * 1024;

/** A worker and a gateway that have made a bundle of many large files. */
export interface LargeBundle {
  stack: PrefetchStack;
  gateway: Gateway;
  repository: TestRepository;
  /** Makes the bundle of the repository's head. */
  prefetch(): Promise<number>;
  /** Of a request's archive. */
  url(id: number): string;
  close(): Promise<void>;
}

export async function startLargeBundle(context: BenchContext, bytes: number): Promise<LargeBundle> {
  const { stage } = context;
  const args = [Math.round(bytes / FILE_BYTES), 0, FILE_BYTES];
  const server = await startPart<DownloadServer>(stage, 'download-server.ts', args);
  const repository = newRepository(context, npmProject(server.ready));
  const stack = await startPrefetchStack(stage, { STOWAGE_NPM_REGISTRY: server.ready.origin });
  const gateway = await startGateway(stage, stack);
  return {
    stack,
    gateway,
    repository,
    prefetch: async () => {
      const repositoryUrl = `file://${repository.path}`;
      return (
        await stack.prefetch({ repository: repositoryUrl, ref: repository.head, packageManagers: ['npm'] })
      ).id;
    },
    url: (id) => `${gateway.url}/bundle-requests/${id}/archive`,
    async close() {
      await gateway.service.stop();
      await stack.close();
      await server.stop();
    },
  };
}
