import { fork } from 'node:child_process';
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
import type { BenchFile } from './download-server.ts';

export interface BenchRow {
  name: string;
  /** Seconds, best of the runs. */
  measured: number;
  yardstick: number;
  yardstickName: string;
  ratio: number;
  /** The ratio must not be larger. */
  budget: number;
}

interface Server {
  origin: string;
  files: BenchFile[];
  stop(): void;
}

const FILES = 1400;
const CONNECTIONS = 32;
const RUNS = 5;

/** Fetching 1,400 small files into the store and the database, against a bare downloader that only writes files. */
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
  const best = {
    bare: Number.POSITIVE_INFINITY,
    cold: Number.POSITIVE_INFINITY,
    warm: Number.POSITIVE_INFINITY,
  };
  for (let run = 0; run < RUNS; run += 1) {
    const directory = join(root, `${latency}-${run}`);
    await mkdir(directory);
    best.bare = Math.min(best.bare, await seconds(() => downloadBare(server, directory)));
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
  return [
    rowOf(`downloads, nothing cached, ${title}`, best.cold, best.bare, 1.3),
    rowOf(`downloads, everything cached, ${title}`, best.warm, best.bare, 1),
  ];
}

function rowOf(name: string, measured: number, yardstick: number, budget: number): BenchRow {
  const yardstickName = `bare downloader, ${CONNECTIONS} connections`;
  return { name, measured, yardstick, yardstickName, ratio: measured / yardstick, budget };
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
  const agent = new Agent({ connections: CONNECTIONS, pipelining: 1 });
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < files.length) {
      const index = next++;
      const { body } = await request(origin + files[index]!.path, { dispatcher: agent });
      await writeFile(join(directory, String(index)), Buffer.from(await body.arrayBuffer()));
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  await agent.close();
}

function startServer(latency: number): Promise<Server> {
  const child = fork(join(import.meta.dirname, 'download-server.ts'), [String(FILES), String(latency)]);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('message', (message) => {
      const { port, files } = message as { port: number; files: BenchFile[] };
      resolve({ origin: `http://127.0.0.1:${port}`, files, stop: () => child.kill() });
    });
  });
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

if (import.meta.main) {
  for (const { name, measured, yardstick, ratio, budget } of await benchDownloads()) {
    const verdict = ratio <= budget ? 'ok' : 'OVER';
    process.stdout.write(
      `${name}: ${measured.toFixed(2)} s, bare ${yardstick.toFixed(2)} s, ratio ${ratio.toFixed(2)} (budget ${budget}) ${verdict}\n`,
    );
  }
}
