import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readSettings } from '../src/domain/config.ts';
import { openDatabase } from '../src/domain/database/database.ts';
import type { SqlExecutor } from '../src/domain/database/sql-executor.ts';
import { FileBlobStore } from '../src/domain/storage/file-blob-store.ts';
import { DatabaseArtifactStore } from '../src/workers/downloads/database-artifact-store.ts';
import { DownloadScheduler } from '../src/workers/downloads/scheduler.ts';
import { CONNECTIONS } from './bare-downloader.ts';
import { type BenchContext, type Figure, median, secondsOf } from './benchmark.ts';
import { startPart } from './child-process.ts';
import type { DownloadServer } from './download-server.ts';

const FILES = 1400;

/**
 * The download scheduler alone: 1,400 small files into the store and the database. The yardstick is what one would write in
 * ten lines: the platform's `fetch`, 32 at a time, each file checked against its digest and written. Both in this process.
 */
export async function downloads(context: BenchContext): Promise<Figure[]> {
  const { stage } = context;
  const databaseUrl = await stage.newDatabase();
  const database = await openDatabase({ url: databaseUrl });
  const figures: Figure[] = [];
  for (const latency of [0, 30]) figures.push(...(await measure(context, database.sql, latency)));
  await database.close();
  await stage.dropDatabase(databaseUrl);
  return figures;
}

async function measure({ stage, runs, say }: BenchContext, sql: SqlExecutor, latency: number) {
  const server = await startPart<DownloadServer>(stage, 'download-server.ts', [FILES, latency]);
  const times = { plain: [] as number[], cold: [] as number[], warm: [] as number[] };
  for (let run = 1; run <= runs; run += 1) {
    const directory = await stage.newDirectory();
    times.plain.push(await secondsOf(() => downloadPlainly(server.ready, join(directory, 'plain'))));
    const fetchAll = storeOf(
      server.ready,
      sql,
      new FileBlobStore(join(directory, 'blobs')),
      `${latency}-${run}`,
    );
    times.cold.push(await secondsOf(fetchAll));
    times.warm.push(await secondsOf(fetchAll));
    say(`downloads, ${latency} ms: run ${run} of ${runs}: ${times.cold.at(-1)!.toFixed(2)} s`);
  }
  await server.stop();
  const yardstick = { name: `checking downloader, ${CONNECTIONS} at a time`, value: median(times.plain) };
  const figure = { unit: 's', yardstick, budget: null } as const;
  const title = `downloads alone, ${FILES} files, ${latency} ms`;
  return [
    { ...figure, name: `${title}, nothing cached`, measured: median(times.cold) },
    { ...figure, name: `${title}, everything cached`, measured: median(times.warm) },
  ];
}

/** Fetches all files as a step would, with a scheduler that is used once. */
function storeOf({ origin, files }: DownloadServer, sql: SqlExecutor, blobs: FileBlobStore, salt: string) {
  const settings = readSettings({ STOWAGE_DOWNLOAD_CONCURRENCY: String(CONNECTIONS) });
  const requests = files.map(({ path, sha512 }) => ({
    key: `${salt}:${path}`,
    url: `https://registry.example${path}`,
    upstream: { url: origin + path },
    expected: [{ algorithm: 'sha512' as const, hex: sha512 }],
    fileName: path,
  }));
  return async (): Promise<void> => {
    const scheduler = new DownloadScheduler(settings);
    const store = new DatabaseArtifactStore({
      sql,
      blobs,
      scheduler,
      settings,
      log: { debug() {}, info() {}, warn() {} },
      progress: { expect() {}, add() {} },
      signal: new AbortController().signal,
    });
    await store.fetchAll(requests);
    await scheduler.close();
  };
}

async function downloadPlainly({ origin, files }: DownloadServer, directory: string): Promise<void> {
  await mkdir(directory);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < files.length) {
      const index = next++;
      const { path, sha512 } = files[index]!;
      const response = await fetch(origin + path);
      const bytes = Buffer.from(await response.arrayBuffer());
      if (createHash('sha512').update(bytes).digest('hex') !== sha512) throw new Error(`${path} is damaged`);
      await writeFile(join(directory, String(index)), bytes);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
}
