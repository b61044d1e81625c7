import type { BenchContext, Figure } from './benchmark.ts';
import { startPart } from './child-process.ts';
import { measurePrefetch } from './prefetch.ts';
import type { PythonServer } from './python-server.ts';

const SDISTS = 70;

/** Requirements with hashes. The bare downloader reads each index page, as it has to, and then the file. */
export async function prefetchPip(context: BenchContext): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const latency of [0, 30]) {
    const server = await startPart<PythonServer>(context.stage, 'python-server.ts', [SDISTS, latency]);
    const { url, chains, requirements, warmUpRequirements } = server.ready;
    figures.push(
      ...(await measurePrefetch(context, {
        title: `pip, ${SDISTS} sdists, ${latency} ms`,
        manager: 'pip',
        files: { 'requirements.txt': requirements, ...PROJECT },
        warmUpFiles: { 'requirements.txt': warmUpRequirements, ...PROJECT },
        environment: { STOWAGE_PYPI_INDEX: url },
        chains,
        budget: { of: 'ratio', comparison: 'at most', limit: 1.3 },
      })),
    );
    await server.stop();
  }
  return figures;
}

const PROJECT = { 'pyproject.toml': '[project]\nname = "bench"\nversion = "1.0.0"\n' };
