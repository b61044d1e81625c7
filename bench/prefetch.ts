import { rm } from 'node:fs/promises';
import type { PackageManager } from '../src/domain/packages/package.ts';
import { TestRepository } from '../test/support/git-repository.ts';
import { CONNECTIONS, type Downloaded } from './bare-downloader.ts';
import { type BenchContext, type Budget, type Figure, median } from './benchmark.ts';
import { startPart } from './child-process.ts';
import { startPrefetchStack } from './prefetch-stack.ts';

/** A project with its upstream, which runs already. */
export interface PrefetchSubject {
  /** `npm, 1,400 tarballs, 30 ms`. */
  title: string;
  manager: PackageManager;
  files: Record<string, string>;
  /** Of another project, for a first request that is not measured: a worker lives longer than one request. */
  warmUpFiles: Record<string, string>;
  /** Settings of the worker. */
  environment: Record<string, string>;
  /** The same files for the bare downloader. */
  chains: string[][];
  budget: Budget | null;
  /** The ecosystem's own tool; the measured cold time is compared with it, too. */
  tool?: { name: string; seconds: () => Promise<number>; budget: Budget | null };
}

/** Prefetch of one project: nothing cached, the same commit again, another commit with the same dependencies. */
export async function measurePrefetch(context: BenchContext, subject: PrefetchSubject): Promise<Figure[]> {
  const { stage, say } = context;
  const { title, manager, chains, tool } = subject;
  const repository = newRepository(context, subject.files);
  const commit = repository.head;
  const otherCommit = repository.commit({ 'README.md': 'another commit\n' });
  const warmUp = newRepository(context, subject.warmUpFiles);
  const submission = (source: TestRepository, ref: string) => ({
    repository: `file://${source.path}`,
    ref,
    packageManagers: [manager],
  });

  const times = {
    bare: [] as number[],
    tool: [] as number[],
    cold: [] as number[],
    same: [] as number[],
    other: [] as number[],
  };
  const bare = await startPart(stage, 'bare-downloader.ts');
  const bareSeconds = async (some = chains): Promise<number> => {
    const directory = await stage.newDirectory();
    const { seconds } = await bare.ask<Downloaded>({ chains: some, directory });
    return seconds;
  };
  await bareSeconds(chains.slice(0, 100));
  for (let run = 1; run <= context.runs; run += 1) {
    times.bare.push(await bareSeconds());
    if (tool) times.tool.push(await tool.seconds());
    const stack = await startPrefetchStack(stage, subject.environment);
    await stack.prefetch(submission(warmUp, warmUp.head));
    times.cold.push((await stack.prefetch(submission(repository, commit))).seconds);
    times.same.push((await stack.prefetch(submission(repository, commit))).seconds);
    times.other.push((await stack.prefetch(submission(repository, otherCommit))).seconds);
    await stack.close();
    const last = Object.entries(times).flatMap(([name, list]) =>
      list.slice(-1).map((s) => `${name} ${s.toFixed(2)}`),
    );
    say(`${title}: run ${run} of ${context.runs}: ${last.join(', ')} s`);
  }
  await bare.stop();

  const yardstick = { name: `bare downloader, ${CONNECTIONS} connections`, value: median(times.bare) };
  const figure = { unit: 's', yardstick } as const;
  const cold = { ...figure, name: `prefetch ${title}, nothing cached`, measured: median(times.cold) };
  return [
    { ...cold, budget: subject.budget },
    ...(tool
      ? [{ ...cold, yardstick: { name: tool.name, value: median(times.tool) }, budget: tool.budget }]
      : []),
    { ...figure, name: `prefetch ${title}, same commit again`, measured: median(times.same), budget: null },
    { ...figure, name: `prefetch ${title}, next commit`, measured: median(times.other), budget: null },
  ];
}

export function newRepository({ stage }: BenchContext, files: Record<string, string>): TestRepository {
  const repository = new TestRepository(files);
  stage.atEnd(() => rm(repository.path, { recursive: true, force: true }));
  return repository;
}
