import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchContext, Figure } from './benchmark.ts';
import { peakMemory, startPart } from './child-process.ts';
import { startLargeBundle } from './large-bundle.ts';

const BYTES = 2 * 1024 ** 3;

/** The largest resident memory of both processes since their start, after a bundle was fetched, made and downloaded. */
export async function memory(context: BenchContext): Promise<Figure[]> {
  const large = await startLargeBundle(context, BYTES);
  const downloader = await startPart(context.stage, 'archive-downloader.ts');
  const id = await large.prefetch();
  const file = join(await context.stage.newDirectory(), 'archive');
  await downloader.ask({ url: large.url(id), token: large.gateway.token, file });
  const worker = peakMemory(large.stack.worker);
  const gateway = peakMemory(large.gateway.service);
  await rm(file);
  await downloader.stop();
  await large.close();
  const figure = {
    unit: 'MB',
    yardstick: null,
    budget: { of: 'value', comparison: 'at most', limit: 300 },
  } as const;
  return [
    { ...figure, name: 'memory of the worker, bundle of 2 GiB, peak', measured: worker },
    { ...figure, name: 'memory of the gateway, bundle of 2 GiB, peak', measured: gateway },
  ];
}
