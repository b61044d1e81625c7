import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readSettings } from '../../src/domain/config.ts';
import type { Database } from '../../src/domain/database/database.ts';
import { insertWorker, updateHeartbeat } from '../../src/domain/database/sql/workers.ts';
import { EventHub } from '../../src/domain/events/event-hub.ts';
import { FileBlobStore } from '../../src/domain/storage/file-blob-store.ts';
import { testDatabase } from '../support/database.ts';
import { recoverOnce } from '../support/recover-once.ts';

let database: Database;
let directory: string;
beforeAll(async () => {
  database = await testDatabase();
  directory = mkdtempSync(join(tmpdir(), 'stowage-recovery-'));
});
afterAll(async () => {
  await database?.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Workers whose hearts have not beaten for an hour: the machine slept. */
async function silentWorker(host: string, pid = process.pid): Promise<string> {
  const id = randomUUID();
  await insertWorker(database.sql, {
    ...{ id, host, pid, poolIds: [`pool-${id}`, `builds-${id}`], tasks: null, concurrency: 1 },
  });
  await database.sql.query(`update workers set heartbeat_at = now() - interval '1 hour' where id = $1`, [id]);
  return id;
}

const recover = (workerId: string): Promise<void> =>
  recoverOnce(
    {
      ...{ settings: readSettings({ STOWAGE_DATA_DIR: directory }), database, hub: new EventHub(database) },
      blobs: new FileBlobStore(join(directory, 'blobs')),
    },
    workerId,
  );

async function living(): Promise<string[]> {
  const rows = await database.sql.query<{ id: string }>('select id from workers where stopped_at is null');
  return rows.map(({ id }) => id);
}

test('a worker does not declare itself dead, and one that was declared dead lives again', async () => {
  const [self, other] = [await silentWorker(hostname()), await silentWorker('elsewhere')];
  await recover(self);
  expect(await living()).toEqual([self]);
  await updateHeartbeat(database.sql, other, { metrics: {}, poolIds: [`pool-${other}`] });
  expect((await living()).sort()).toEqual([self, other].sort());
});

test('what workers that are gone have left in this data directory goes, whoever released their jobs', async () => {
  const DEAD_PID = 2 ** 22;
  const beating = async (id: string): Promise<string> => {
    await updateHeartbeat(database.sql, id, { metrics: {}, poolIds: [`pool-${id}`] });
    return id;
  };
  const self = await beating(await silentWorker(hostname()));
  const stays = [
    self,
    await silentWorker(hostname()),
    await beating(await silentWorker('elsewhere')),
    randomUUID(),
    'uploads-1',
  ];
  const before = randomUUID();
  const goes = [await silentWorker(hostname(), DEAD_PID), await silentWorker('elsewhere'), before];
  for (const name of [...stays, ...goes])
    mkdirSync(join(directory, 'tmp', name, 'step-1'), { recursive: true });
  utimesSync(join(directory, 'tmp', before), 0, 0);
  await database.sql.query('update workers set stopped_at = now() where id = any($1::uuid[])', [
    goes.slice(0, 2),
  ]);
  await recover(self);
  expect(readdirSync(join(directory, 'tmp')).sort()).toEqual([...stays].sort());
});

test('what a dead worker was fetching is fetched by others at once', async () => {
  await silentWorker('elsewhere', 12);
  const self = await silentWorker(hostname());
  const claims = ['elsewhere:12:aa', 'elsewhere:123:bb', 'else:12:cc'];
  const { sql } = database;
  await sql.query('insert into artifact_claims select one, one from unnest($1::text[]) as one', [claims]);
  await recover(self);
  const left = await sql.query<{ key: string }>('select key from artifact_claims');
  expect(left.map(({ key }) => key).sort()).toEqual(claims.slice(1).sort());
});
