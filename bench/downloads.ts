import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { prepareDatabase } from '../src/cli/prepare-database.ts';
import { readSettings } from '../src/domain/config.ts';
import { type Database, openDatabase } from '../src/domain/database/database.ts';
import { startEmbeddedPostgres } from '../src/domain/database/embedded-postgres.ts';
import { FileBlobStore } from '../src/domain/storage/file-blob-store.ts';
import { DatabaseArtifactStore } from '../src/workers/downloads/database-artifact-store.ts';
import { DownloadScheduler } from '../src/workers/downloads/scheduler.ts';
import type { BenchFile, DownloadServer } from './download-server.ts';

export interface BenchRow {
  name: string;
  /** Seconds, best of the runs. */
  measured: number;
  yardstick: number;
  yardstickName: string;
  ratio: number;
  /** The ratio must not be larger; null: for information. */
  budget: number | null;
}

interface Server {
  origin: string;
  files: BenchFile[];
  stop(): void;
}

const FILES = 1400;
const CONNECTIONS = 32;
const RUNS = 6;

/**
 * Fetching 1,400 small files into the store and the database. The yardstick is what one would write in ten lines: the
 * platform's `fetch`, 32 at a time, each file checked against its digest and written. For information, the least that can
 * be done: undici's `request`, nothing checked.
 */
export async function benchDownloads(): Promise<BenchRow[]> {
  const root = await mkdtemp(join(tmpdir(), 'stowage-bench-'));
  const postgres = await startEmbeddedPostgres({ dataDir: root });
  const rows: BenchRow[] = [];
  try {
    await prepareDatabase(postgres.url);
    const database = await openDatabase({ url: postgres.url });
    for (const latency of [0, 30]) rows.push(...(await measure(root, database, latency)));
    await database.close();
  } finally {
    await postgres.stop({ evenIfUsed: true });
    await rm(root, { recursive: true, force: true });
  }
  return rows;
}

async function measure(root: string, database: Database, latency: number): Promise<BenchRow[]> {
  const server = await startServer(latency);
  const best = { bare: Infinity, least: Infinity, cold: Infinity, warm: Infinity };
  for (let run = 0; run < RUNS; run += 1) {
    const directory = join(root, `${latency}-${run}`);
    await mkdir(join(directory, 'bare'), { recursive: true });
    await mkdir(join(directory, 'least'));
    best.bare = Math.min(best.bare, await seconds(() => downloadBare(server, join(directory, 'bare'))));
    best.least = Math.min(best.least, await seconds(() => downloadLeast(server, join(directory, 'least'))));
    const blobs = new FileBlobStore(join(directory, 'blobs'));
    const settings = readSettings({ STOWAGE_DOWNLOAD_CONCURRENCY: String(CONNECTIONS) });
    const scheduler = new DownloadScheduler(settings);
    const fetchAll = async (): Promise<void> => {
      const quiet = { debug() {}, info() {}, warn() {}, error() {} };
      const progress = { expect() {}, add() {} };
      const { signal } = new AbortController();
      const store = new DatabaseArtifactStore({
        sql: database.sql,
        blobs,
        scheduler,
        settings,
        log: quiet,
        progress,
        signal,
      });
      await store.fetchAll(requestsFor(server, `${latency}-${run}`));
    };
    best.cold = Math.min(best.cold, await seconds(fetchAll));
    best.warm = Math.min(best.warm, await seconds(fetchAll));
    await scheduler.close();
  }
  server.stop();
  const title = `${FILES} files, ${latency} ms`;
  const bare = { yardstick: best.bare, yardstickName: `bare downloader, ${CONNECTIONS} connections` };
  const least = { yardstick: best.least, yardstickName: `${CONNECTIONS} connections, nothing checked` };
  const cold = { name: `downloads, nothing cached, ${title}`, measured: best.cold };
  const warm = { name: `downloads, everything cached, ${title}`, measured: best.warm };
  return [
    { ...cold, ...bare, ratio: best.cold / best.bare, budget: 1.3 },
    { ...cold, ...least, ratio: best.cold / best.least, budget: null },
    { ...warm, ...bare, ratio: best.warm / best.bare, budget: 1 },
  ];
}

function requestsFor(server: Server, salt: string) {
  return server.files.map(({ path, sha512 }) => ({
    key: `${salt}:${path}`,
    url: `https://registry.example${path}`,
    upstream: { url: server.origin + path },
    expected: [{ algorithm: 'sha512' as const, hex: sha512 }],
    fileName: path,
  }));
}

async function downloadBare({ origin, files }: Server, directory: string): Promise<void> {
  await sideBySide(files, async ({ path, sha512 }, index) => {
    const response = await fetch(origin + path);
    const bytes = Buffer.from(await response.arrayBuffer());
    if (createHash('sha512').update(bytes).digest('hex') !== sha512) throw new Error(`${path} is damaged`);
    await writeFile(join(directory, String(index)), bytes);
  });
}

async function downloadLeast({ origin, files }: Server, directory: string): Promise<void> {
  const dispatcher = new Agent({ connections: CONNECTIONS, pipelining: 1 });
  await sideBySide(files, async ({ path }, index) => {
    const { body } = await request(origin + path, { dispatcher });
    await writeFile(join(directory, String(index)), Buffer.from(await body.arrayBuffer()));
  });
  await dispatcher.close();
}

async function sideBySide(
  files: readonly BenchFile[],
  work: (file: BenchFile, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < files.length) {
      const index = next++;
      await work(files[index]!, index);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
}

function startServer(latency: number): Promise<Server> {
  const child = fork(join(import.meta.dirname, 'download-server.ts'), [String(FILES), String(latency)]);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('message', (message) => {
      const { origin, files } = message as DownloadServer;
      resolve({ origin, files, stop: () => child.kill() });
    });
  });
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

if (import.meta.main) {
  for (const { name, measured, yardstick, yardstickName, ratio, budget } of await benchDownloads()) {
    const verdict =
      budget === null ? 'for information' : `budget ${budget}, ${ratio <= budget ? 'kept' : 'EXCEEDED'}`;
    const times = `${measured.toFixed(2)} s, ${yardstickName} ${yardstick.toFixed(2)} s`;
    process.stdout.write(`${name}: ${times}, ratio ${ratio.toFixed(2)} (${verdict})\n`);
  }
}
