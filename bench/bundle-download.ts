import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DownloadedArchive } from './archive-downloader.ts';
import { type BenchContext, type Figure, median, secondsOf } from './benchmark.ts';
import { startPart } from './child-process.ts';
import { startLargeBundle } from './large-bundle.ts';
import type { PrefetchStack } from './prefetch-stack.ts';

const BYTES = 1024 ** 3;
const run = promisify(execFile);

/**
 * Assembly of a bundle whose files are in the store, then its download into a synced file by another process; against
 * `cp` of the archive on the same disk and `sync` of the copy. Everything that is read is in the page cache.
 */
export async function bundleDownload(context: BenchContext): Promise<Figure[]> {
  const { stage, runs, say } = context;
  const large = await startLargeBundle(context, BYTES);
  const downloader = await startPart(stage, 'archive-downloader.ts');
  const { token } = large.gateway;
  await large.prefetch();
  const directory = await stage.newDirectory();
  const file = join(directory, 'archive');
  const copy = join(directory, 'copy');
  const speeds = {
    both: [] as number[],
    assembly: [] as number[],
    download: [] as number[],
    copy: [] as number[],
  };
  for (let round = 1; round <= runs; round += 1) {
    large.repository.commit({ 'README.md': `commit ${round}\n` });
    const id = await large.prefetch();
    const assembly = await assemblySeconds(large.stack, id);
    const { seconds, bytes } = await downloader.ask<DownloadedArchive>({
      url: large.url(id),
      token,
      file,
    });
    const copying = await secondsOf(async () => {
      await run('cp', ['--reflink=never', file, copy]);
      await run('sync', [copy]);
    });
    await rm(copy);
    await rm(file);
    const megabytes = bytes / 1e6;
    speeds.both.push(megabytes / (assembly + seconds));
    speeds.assembly.push(megabytes / assembly);
    speeds.download.push(megabytes / seconds);
    speeds.copy.push(megabytes / copying);
    say(
      `bundle: assembly ${assembly.toFixed(2)}, download ${seconds.toFixed(2)}, copy ${copying.toFixed(2)} s`,
    );
  }
  await downloader.stop();
  await large.close();
  const figure = { unit: 'MB/s', yardstick: { name: 'cp and sync', value: median(speeds.copy) } } as const;
  const budget = { of: 'ratio', comparison: 'at least', limit: 0.5 } as const;
  return [
    { ...figure, name: 'bundle of 1 GiB, assembly', measured: median(speeds.assembly), budget },
    { ...figure, name: 'bundle of 1 GiB, download', measured: median(speeds.download), budget },
    { ...figure, name: 'bundle of 1 GiB, one after the other', measured: median(speeds.both), budget: null },
  ];
}

async function assemblySeconds({ database }: PrefetchStack, id: number): Promise<number> {
  const [row] = await database.sql.query<{ seconds: number }>(
    `select extract(epoch from finished_at - started_at)::float8 as seconds
     from bundle_request_steps where request_id = $1 and task = 'assemble-bundle'`,
    [id],
  );
  return row!.seconds;
}
