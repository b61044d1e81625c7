import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type BundleContents, layOutBundle } from '../../../src/domain/bundles/bundle-manifest.ts';
import { WRITER_VERSION } from '../../../src/domain/bundles/deterministic-gzip.ts';
import { sourceListing, sourceMember } from '../../../src/domain/bundles/source-member.ts';
import type { Database } from '../../../src/domain/database/database.ts';
import { openSnapshot, writeSnapshot } from '../../../src/domain/sources/source-snapshot.ts';
import type { SourceTree } from '../../../src/domain/sources/source-tree.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { SourceMembers } from '../../../src/workers/tasks/source-members.ts';
import type { WorkerContext } from '../../../src/workers/worker-context.ts';
import { testDatabase } from '../../support/database.ts';

const LIMITS = { entries: 10, unpackedBytes: 1000 };
const { signal } = new AbortController();

let root: string;
let database: Database;
let blobs: FileBlobStore;
let lines: string[];
let members: SourceMembers;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'source-members-'));
  database = await testDatabase();
  blobs = new FileBlobStore(root);
  lines = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  members = new SourceMembers({ database, blobs, logger } as unknown as WorkerContext);
});

afterEach(async () => {
  await members.close();
  await database.close();
  await rm(root, { recursive: true, force: true });
});

async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

async function source(text: string) {
  const info = { commit: null, treeId: null, time: 0 };
  const entry = { path: 'README.md', mode: '100644' as const, size: text.length, content: bytes(text) };
  const written = await writeSnapshot(blobs, info, [entry], LIMITS);
  const tree = await openSnapshot(blobs, written.snapshot);
  return { ...written, tree, contents: contentsOf(tree) };
}

function contentsOf(tree: SourceTree): BundleContents {
  return layOutBundle({ source: tree, sourceChanges: [], files: [], directories: [] });
}

test('a source that was compressed beforehand is not compressed again', async () => {
  const { snapshot, tree, contents } = await source('hello');
  members.prepare(snapshot);
  await expect
    .poll(() => members.find(sourceListing(contents), WRITER_VERSION, signal), { interval: 5 })
    .not.toBeNull();

  const written: unknown[] = [];
  const watched = Object.assign(Object.create(blobs) as FileBlobStore, {
    write: async (...given: Parameters<FileBlobStore['write']>) => {
      written.push(given);
      return await blobs.write(...given);
    },
  });
  const found = await sourceMember(
    { blobs: watched, source: tree, sourceMembers: members, signal },
    contents,
  );
  const own = new SourceMembers({ database, blobs } as unknown as WorkerContext);
  const none = { find: async () => null, insert: own.insert.bind(own) };
  const made = await sourceMember({ blobs, source: tree, sourceMembers: none, signal }, contents);
  expect(written).toEqual([]);
  expect(found).toEqual(made);
});

test('sources are compressed one after the other; one that is damaged does not keep the next one waiting', async () => {
  const [damaged, whole] = [await source('damaged'), await source('whole')];
  await blobs.delete(damaged.pack);
  members.prepare(damaged.snapshot);
  members.prepare(whole.snapshot);
  await expect
    .poll(() => members.find(sourceListing(whole.contents), WRITER_VERSION, signal), { interval: 5 })
    .not.toBeNull();
  expect(await members.find(sourceListing(damaged.contents), WRITER_VERSION, signal)).toBeNull();
  expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual([
    'a source was not compressed',
  ]);
});

test('a worker that stops waits for no source', async () => {
  const { snapshot, contents } = await source('hello');
  members.prepare(snapshot);
  await members.close();
  expect(await members.find(sourceListing(contents), WRITER_VERSION, signal)).toBeNull();
  expect(lines).toEqual([]);
});
