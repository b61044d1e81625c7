import { mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../../src/domain/database/database.ts';
import { recordBlobs } from '../../../src/domain/database/sql/record-blobs.ts';
import type { Digest } from '../../../src/domain/storage/blob-store.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { collectGarbage } from '../../../src/workers/tasks/collect-garbage.ts';
import type { WorkerContext } from '../../../src/workers/worker-context.ts';
import { testDatabase } from '../../support/database.ts';
import { submit } from '../../support/requests.ts';

let database: Database;
let blobs: FileBlobStore;
let root: string;

beforeAll(async () => {
  database = await testDatabase();
  root = mkdtempSync(join(tmpdir(), 'garbage-'));
  blobs = new FileBlobStore(root);
});
afterAll(async () => {
  await database.close();
  rmSync(root, { recursive: true, force: true });
});

/** A blob that nothing references, with a row or without one. */
async function storeBlob(content: string, { minutesAgo, row }: { minutesAgo: number; row: boolean }) {
  const blob = await blobs.write(Buffer.from(content));
  const time = new Date(Date.now() - minutesAgo * 60_000);
  utimesSync(blobs.localPath(blob.digest), time, time);
  if (row) {
    await recordBlobs(database.sql, [blob]);
    await database.sql.query('update blobs set created_at = $2 where digest = $1', [blob.digest, time]);
  }
  return blob.digest;
}

async function collect(): Promise<void> {
  const settings = { garbageGraceSeconds: 3600 };
  const context = {
    database,
    blobs,
    settings,
    logger: pino({ level: 'silent' }),
  } as unknown as WorkerContext;
  await collectGarbage(context)({}, undefined as never);
}

const isThere = async (digest: Digest): Promise<boolean> => (await blobs.size(digest)) !== null;

test.each([true, false])(
  'an hour after its last write a blob that nothing names goes, row: %s',
  async (row) => {
    const old = await storeBlob(`old ${row}`, { minutesAgo: 61, row });
    const young = await storeBlob(`young ${row}`, { minutesAgo: 59, row });
    await collect();
    expect([await isThere(old), await isThere(young)]).toEqual([false, true]);
  },
);

test.each([true, false])(
  'but not what came after the oldest request that is at work, row: %s',
  async (row) => {
    const request = await submit(database);
    await database.sql.query(
      `update bundle_requests set created_at = now() - interval '3 hours' where id = $1`,
      [request.id],
    );
    const before = await storeBlob(`before ${row}`, { minutesAgo: 200, row });
    const after = await storeBlob(`after ${row}`, { minutesAgo: 170, row });
    await collect();
    expect([await isThere(before), await isThere(after)]).toEqual([false, true]);

    await database.sql.query(`update bundle_requests set state = 'failed' where id = $1`, [request.id]);
    await collect();
    expect(await isThere(after)).toBe(false);
  },
);
