import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchContext, Figure } from './benchmark.ts';
import { peakMemory, startPart } from './child-process.ts';
import { startLargeBundle } from './large-bundle.ts';

const LITTLE = 64 * 1024 ** 2;
const MUCH = 1024 ** 3;

/** The gateway's largest memory after a download over Cachito's API: with an archive sixteen times as large it is the same. */
export async function cachitoMemory(context: BenchContext): Promise<Figure[]> {
  const little = await peakAfterDownload(context, LITTLE);
  const much = await peakAfterDownload(context, MUCH);
  return [
    {
      name: 'Cachito, memory of the gateway, archive of 1 GiB',
      measured: much,
      unit: 'MB',
      yardstick: { name: '64 MiB', value: little },
      budget: { of: 'ratio', comparison: 'at most', limit: 1.5 },
    },
  ];
}

async function peakAfterDownload(context: BenchContext, bytes: number): Promise<number> {
  const large = await startLargeBundle(context, bytes);
  const downloader = await startPart(context.stage, 'archive-downloader.ts');
  const id = await large.prefetch();
  const file = join(await context.stage.newDirectory(), 'archive');
  const { url, token } = large.gateway;
  await downloader.ask({ url: `${url}/api/v1/requests/${id}/download`, token, file });
  const peak = peakMemory(large.gateway.service);
  await rm(file);
  await downloader.stop();
  await large.close();
  return peak;
}
