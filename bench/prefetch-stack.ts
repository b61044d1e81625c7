import type { Submission } from '../src/domain/bundle-requests/native-rules/submission.ts';
import { submitRequest } from '../src/domain/bundle-requests/submit.ts';
import { readSettings } from '../src/domain/config.ts';
import { type Database, openDatabase } from '../src/domain/database/database.ts';
import { findRequest } from '../src/domain/database/sql/bundle-request-rows.ts';
import { EventHub } from '../src/domain/events/event-hub.ts';
import { SYSTEM } from '../src/domain/identity/principal.ts';
import { secondsOf } from './benchmark.ts';
import { type Service, startService } from './child-process.ts';
import type { Stage } from './stage.ts';

/** A worker process on an empty database and an empty store; requests are submitted by this process. */
export interface PrefetchStack {
  database: Database;
  databaseUrl: string;
  dataDir: string;
  worker: Service;
  submit(submission: Submission): Promise<number>;
  /** Seconds from the submission to the final state; throws unless it is complete. */
  prefetch(submission: Submission): Promise<{ id: number; seconds: number }>;
  /** Removes what it made. */
  close(): Promise<void>;
}

export async function startPrefetchStack(
  stage: Stage,
  environment: Record<string, string>,
): Promise<PrefetchStack> {
  const dataDir = await stage.newDirectory();
  const databaseUrl = await stage.newDatabase();
  const variables = {
    STOWAGE_DATA_DIR: dataDir,
    DATABASE_URL: databaseUrl,
    STOWAGE_GIT_ALLOWED_PROTOCOLS: 'file',
    ...environment,
  };
  const worker = await startService(stage, 'worker', variables);
  const settings = readSettings(variables);
  const database = await openDatabase({ url: databaseUrl });
  const hub = new EventHub(database);
  await hub.start();

  const submit = async (submission: Submission): Promise<number> =>
    (await submitRequest(database, settings, SYSTEM, submission)).id;
  const untilComplete = async (id: number): Promise<void> => {
    for await (const event of hub.subject('bundle-request', id, 0, new AbortController().signal)) {
      if (event.type === 'state' && event.data.state !== 'in_progress') break;
    }
    const request = await findRequest(database.sql, id);
    if (request?.state !== 'complete') throw new Error(`request ${id}: ${request?.error?.message}`);
  };
  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    await worker.stop();
    await hub.close();
    await database.close();
    await stage.dropDatabase(databaseUrl);
  };
  const closeOnce = (): Promise<void> => {
    closing ??= close();
    return closing;
  };
  stage.atEnd(closeOnce);
  return {
    database,
    databaseUrl,
    dataDir,
    worker,
    submit,
    async prefetch(submission) {
      let id = 0;
      const seconds = await secondsOf(async () => {
        id = await submit(submission);
        await untilComplete(id);
      });
      return { id, seconds };
    },
    close: closeOnce,
  };
}
