import { type BenchContext, type Figure, median } from './benchmark.ts';
import { startPart } from './child-process.ts';
import type { DownloadServer } from './download-server.ts';
import { npmProject } from './npm-project.ts';
import { newRepository } from './prefetch.ts';
import { startPrefetchStack } from './prefetch-stack.ts';

const PACKAGES = 1000;

/** Commit after commit of a project whose dependencies are in the store. */
export async function prefetchCached(context: BenchContext): Promise<Figure[]> {
  const { stage, runs, say } = context;
  const server = await startPart<DownloadServer>(stage, 'download-server.ts', [PACKAGES, 0]);
  const repository = newRepository(context, npmProject(server.ready));
  const submission = (ref: string) => ({
    repository: `file://${repository.path}`,
    ref,
    packageManagers: ['npm'],
  });
  const stack = await startPrefetchStack(stage, { STOWAGE_NPM_REGISTRY: server.ready.origin });
  await stack.prefetch(submission(repository.head));
  const same: number[] = [];
  const next: number[] = [];
  for (let run = 1; run <= 2 * runs; run += 1) {
    same.push((await stack.prefetch(submission(repository.head))).seconds);
    const commit = repository.commit({ 'README.md': `commit ${run}\n` });
    next.push((await stack.prefetch(submission(commit))).seconds);
    say(`cached: same commit ${same.at(-1)!.toFixed(2)} s, next commit ${next.at(-1)!.toFixed(2)} s`);
  }
  await stack.close();
  await server.stop();
  const budget = { of: 'value', comparison: 'at most', limit: 1 } as const;
  const figure = { unit: 's', yardstick: null, budget } as const;
  const title = `prefetch, everything cached, ${PACKAGES} npm packages`;
  return [
    { ...figure, name: `${title}, same commit`, measured: median(same) },
    { ...figure, name: `${title}, next commit`, measured: median(next) },
  ];
}
