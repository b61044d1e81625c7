import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { BundleRequest } from '../../src/domain/bundle-requests/bundle-request.ts';
import type { Submission } from '../../src/domain/bundle-requests/native-rules/submission.ts';
import { submitRequest } from '../../src/domain/bundle-requests/submit.ts';
import { readSettings, type Settings } from '../../src/domain/config.ts';
import type { Database } from '../../src/domain/database/database.ts';
import { findRequest } from '../../src/domain/database/sql/bundle-request-rows.ts';
import { EventHub } from '../../src/domain/events/event-hub.ts';
import { SYSTEM } from '../../src/domain/identity/principal.ts';
import { readLog } from '../../src/domain/logs/read-log.ts';
import { FileBlobStore } from '../../src/domain/storage/file-blob-store.ts';
import type { Tracing } from '../../src/domain/tracing/tracing.ts';
import type { ImageBuilding } from '../../src/workers/builders/image-building.ts';
import { type RunningWorker, startWorker } from '../../src/workers/runner.ts';
import { testDatabase } from './database.ts';

/** A worker of this process on a database and a data directory of its own: everything real but what is outside. */
export interface WorkerStack {
  settings: Settings;
  database: Database;
  blobs: FileBlobStore;
  hub: EventHub;
  worker: RunningWorker;
  submit(submission: Partial<Submission>): Promise<BundleRequest>;
  /** Submits and waits for the final state. */
  run(submission: Partial<Submission>): Promise<BundleRequest>;
  untilFinal(id: number): Promise<BundleRequest>;
  log(id: number): Promise<string[]>;
  close(): Promise<void>;
}

export async function startWorkerStack(
  environment: Record<string, string> = {},
  {
    imageBuilding,
    database: given,
    tracing,
  }: { imageBuilding?: ImageBuilding; database?: Database; tracing?: Tracing } = {},
): Promise<WorkerStack> {
  const dataDir = await mkdtemp(join(tmpdir(), 'stowage-data-'));
  const database = given ?? (await testDatabase());
  const settings = readSettings({
    STOWAGE_DATA_DIR: dataDir,
    STOWAGE_GIT_ALLOWED_PROTOCOLS: 'file,https',
    ...environment,
  });
  const blobs = new FileBlobStore(join(dataDir, 'blobs'));
  const hub = new EventHub(database);
  await hub.start();
  const logger = pino({ level: process.env.STOWAGE_TEST_LOG ?? 'silent' });
  const worker = await startWorker({
    ...{ settings, database, blobs, hub, logger },
    ...(imageBuilding && { imageBuilding }),
    ...(tracing && { tracing }),
  });

  const submit = (submission: Partial<Submission>): Promise<BundleRequest> =>
    submitRequest(database, settings, SYSTEM, submission);
  const untilFinal = async (id: number): Promise<BundleRequest> => {
    for await (const event of hub.subject('bundle-request', id, 0, AbortSignal.timeout(50_000))) {
      if (event.type === 'state' && event.data.state !== 'in_progress') break;
    }
    return (await findRequest(database.sql, id))!;
  };
  return {
    settings,
    database,
    blobs,
    hub,
    worker,
    submit,
    untilFinal,
    run: async (submission) => await untilFinal((await submit(submission)).id),
    log: async (id) => {
      const subject = { subjectType: 'bundle-request', subjectId: id } as const;
      const { lines } = await readLog(database, blobs, subject, 0);
      return lines.map((line) => `${line.level} ${line.source}: ${line.text}`);
    },
    async close() {
      await worker.stop(0);
      await hub.close();
      await database.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
