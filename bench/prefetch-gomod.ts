import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type BenchContext, type Figure, secondsOf } from './benchmark.ts';
import { startPart } from './child-process.ts';
import type { GoServer } from './go-server.ts';
import { measurePrefetch } from './prefetch.ts';
import type { Stage } from './stage.ts';

const MODULES = 120;

export async function prefetchGomod(context: BenchContext): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const latency of [0, 30]) {
    const server = await startPart<GoServer>(context.stage, 'go-server.ts', [MODULES, latency]);
    const { url, files, project, warmUpProject } = server.ready;
    const third = { of: 'ratio', comparison: 'at most', limit: 1 / 3 } as const;
    figures.push(
      ...(await measurePrefetch(context, {
        title: `gomod, ${MODULES} modules, ${latency} ms`,
        manager: 'gomod',
        files: project,
        warmUpFiles: warmUpProject,
        environment: { STOWAGE_GOPROXY: url, STOWAGE_GOSUMDB: 'off' },
        chains: files.map((file) => [file]),
        budget: null,
        tool: {
          name: 'go mod download, empty cache',
          seconds: () => goModDownload(context.stage, url, project),
          budget: latency === 30 ? third : null,
        },
      })),
    );
    await server.stop();
  }
  return figures;
}

async function goModDownload(stage: Stage, proxy: string, project: Record<string, string>): Promise<number> {
  const directory = await stage.newDirectory();
  const source = join(directory, 'source');
  await mkdir(source);
  for (const [name, text] of Object.entries(project)) await writeFile(join(source, name), text);
  const env = {
    PATH: process.env.PATH,
    HOME: directory,
    GOPATH: join(directory, 'go'),
    GOCACHE: join(directory, 'cache'),
    GOPROXY: proxy,
    GOSUMDB: 'off',
    GOTOOLCHAIN: 'local',
    // What is written read-only cannot be removed.
    GOFLAGS: '-modcacherw',
  };
  const seconds = await secondsOf(() => promisify(execFile)('go', ['mod', 'download'], { cwd: source, env }));
  return seconds;
}
