import type { BenchContext, Figure } from './benchmark.ts';
import { startPart } from './child-process.ts';
import type { DownloadServer } from './download-server.ts';
import { npmProject } from './npm-project.ts';
import { measurePrefetch } from './prefetch.ts';

const TARBALLS = 1400;
const WARM_UP_TARBALLS = 100;

/** An application with as many dependencies as large ones have. */
export async function prefetchNpm(context: BenchContext): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const latency of [0, 30]) {
    const count = TARBALLS + WARM_UP_TARBALLS;
    const server = await startPart<DownloadServer>(context.stage, 'download-server.ts', [count, latency]);
    const { origin, files } = server.ready;
    const measured = files.slice(0, TARBALLS);
    figures.push(
      ...(await measurePrefetch(context, {
        title: `npm, ${TARBALLS} tarballs, ${latency} ms`,
        manager: 'npm',
        files: npmProject({ origin, files: measured }),
        warmUpFiles: npmProject({ origin, files: files.slice(TARBALLS) }),
        environment: { STOWAGE_NPM_REGISTRY: origin },
        chains: measured.map(({ path }) => [origin + path]),
        budget: { of: 'ratio', comparison: 'at most', limit: 1.3 },
      })),
    );
    await server.stop();
  }
  return figures;
}
