import { utimesSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../../src/domain/database/database.ts';
import { recordBlobs } from '../../../src/domain/database/sql/record-blobs.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { StepBlobs } from '../../../src/workers/tasks/step-blobs.ts';
import { testDatabase } from '../../support/database.ts';

let database: Database;
let root: string;
/** As another worker has it: nothing of what it writes is known here. */
let store: FileBlobStore;
let round = 0;
let bytes: Buffer;

beforeAll(async () => {
  database = await testDatabase();
  root = await mkdtemp(join(tmpdir(), 'stowage-step-blobs-'));
  store = new FileBlobStore(root);
});
afterAll(async () => {
  await database.close();
  await rm(root, { recursive: true, force: true });
});
beforeEach(() => {
  round += 1;
  bytes = Buffer.from(`blob ${round}`);
});

const step = (): StepBlobs => new StepBlobs(store, database);

describe('a step that fails', () => {
  test('removes what it wrote', async () => {
    const blobs = step();
    const { digest } = await blobs.write(bytes);
    await blobs.drop();
    expect(await store.size(digest)).toBeNull();
  });

  test('removes what it wrote piece by piece', async () => {
    const blobs = step();
    const writer = await blobs.createWriter();
    await writer.write(bytes);
    const { digest } = await writer.commit();
    await blobs.drop();
    expect(await store.size(digest)).toBeNull();
  });

  test('keeps what has a name', async () => {
    const blobs = step();
    const blob = await blobs.write(bytes);
    await recordBlobs(database.sql, [blob]);
    await blobs.drop();
    expect(await store.size(blob.digest)).toBe(blob.size);
  });

  test('keeps what another step of the process has written, until that one fails, too', async () => {
    const [first, second] = [step(), step()];
    const { digest } = await first.write(bytes);
    await second.write(bytes);
    await first.drop();
    expect(await store.size(digest)).toBe(bytes.length);
    await second.drop();
    expect(await store.size(digest)).toBeNull();
  });

  test('keeps what another worker had written before', async () => {
    const { digest } = await store.write(bytes);
    const blobs = step();
    await blobs.write(bytes);
    await blobs.drop();
    expect(await store.size(digest)).toBe(bytes.length);
  });

  test('keeps what another worker has written since', async () => {
    const blobs = step();
    const { digest } = await blobs.write(bytes);
    const later = new Date(Date.now() + 1000);
    utimesSync(store.localPath(digest), later, later);
    await blobs.drop();
    expect(await store.size(digest)).toBe(bytes.length);
  });
});

test('what is on the disk is waited for once, until it is written again', async () => {
  const synced: string[][] = [];
  const watched = new FileBlobStore(root);
  watched.sync = async (digests) => void synced.push([...digests]);
  const blobs = new StepBlobs(watched, database);
  const one = (await blobs.write(bytes, { durability: 'batch' })).digest;
  const now = (await blobs.write(Buffer.from(`durable ${round}`))).digest;
  const elsewhere = (await store.write(Buffer.from(`elsewhere ${round}`))).digest;
  await blobs.sync([one, now, elsewhere]);
  await blobs.sync([one, now]);
  await blobs.write(bytes, { durability: 'batch' });
  await blobs.sync([one]);
  expect(synced).toEqual([[one, elsewhere], [], [one]]);
});
