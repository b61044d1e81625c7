import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Chunk } from '../../../src/domain/registry/receive-chunk.ts';
import type { Registry } from '../../../src/domain/registry/registry.ts';
import { isWholeBlob, SmallBody } from '../../../src/domain/registry/small-body.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stowage-small-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const MOST = 1_000_000;
const sha256 = `sha256:${createHash('sha256').update('abcdef').digest('hex')}` as const;

function start(body: Readable, signal?: AbortSignal) {
  const registry = { blobs: new FileBlobStore(directory) } as unknown as Registry;
  const chunk: Chunk = { body, arrivedAt: 0, contentLength: 6, range: null };
  const small = new SmallBody(chunk, MOST, signal);
  return { small, store: () => small.store(registry, sha256) };
}

async function partsOf(stream: Readable): Promise<string[]> {
  const parts: string[] = [];
  try {
    for await (const part of stream) parts.push(String(part));
  } catch (error) {
    parts.push((error as Error).message);
  }
  return parts;
}

test('what came can be had again', async () => {
  const { small, store } = start(Readable.from([Buffer.from('abc'), Buffer.from('def')]));
  expect(await store()).toMatchObject({ digest: sha256, size: 6 });
  expect(await partsOf(small.again())).toEqual(['abc', 'def']);
  expect(small.isBroken).toBe(false);
});

test('bytes of another digest are no blob', async () => {
  const { small, store } = start(Readable.from([Buffer.from('abcdeg')]));
  expect(await store()).toBe(null);
  expect(await partsOf(small.again())).toEqual(['abcdeg']);
});

test('a body that breaks does so again, at the same place', async () => {
  const breaks = async function* (): AsyncIterable<Buffer> {
    yield Buffer.from('abc');
    throw new Error('aborted');
  };
  const { small, store } = start(Readable.from(breaks()));
  await expect(store()).rejects.toThrow('aborted');
  expect(small.isBroken).toBe(true);
  expect(await partsOf(small.again())).toEqual(['abc', 'aborted']);
});

test('whoever wants the upload is not waited for', async () => {
  const silent = new Readable({ read: () => undefined });
  const stopping = new AbortController();
  const { store } = start(silent, stopping.signal);
  const stored = store();
  stopping.abort(new Error('it goes on elsewhere'));
  await expect(stored).rejects.toThrow('it goes on elsewhere');
});

test.each<[boolean, Partial<Chunk>]>([
  [true, { contentLength: 4096 }],
  [true, { contentLength: 4096, range: { first: 0, last: 4095 } }],
  [false, { contentLength: 4096, range: { first: 1, last: 4096 } }],
  [false, { contentLength: 4096, range: { first: 0, last: 4094 } }],
  [false, { contentLength: 0 }],
  [false, { contentLength: null }],
  [false, { contentLength: 256 * 1024 + 1 }],
])('%s for %j', (expected, parts) => {
  const chunk: Chunk = { body: Readable.from([]), arrivedAt: 0, contentLength: 0, range: null, ...parts };
  expect(isWholeBlob(chunk, MOST)).toBe(expected);
});

test('not what is more than a blob may have', () => {
  expect(isWholeBlob({ body: Readable.from([]), arrivedAt: 0, contentLength: 11, range: null }, 10)).toBe(
    false,
  );
});
