import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { StoredBlob } from '../../../src/domain/storage/blob-store.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { releaseBuffers } from '../../../src/domain/storage/release-buffers.ts';
import { openStagedBlobs, type StagedBlobs } from '../../../src/domain/storage/staged-blobs.ts';
import { MemoryBlobStore } from '../../support/memory-blob-store.ts';

let directory: string;
let blobs: FileBlobStore;
let staged: StagedBlobs;
const NAME = '0a1b-2c.0';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stowage-staged-'));
  blobs = new FileBlobStore(join(directory, 'blobs'));
  staged = openStagedBlobs(blobs);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function append(name: string, size: number, ...chunks: string[]): Promise<void> {
  const file = await staged.open(name, size);
  for (const chunk of chunks) await file.write([Buffer.from(chunk), new Uint8Array()]);
  await file.close();
}

function blobOf(content: string): StoredBlob {
  const hex = createHash('sha256').update(content).digest('hex');
  return { digest: `sha256:${hex}`, size: content.length, crc32: crc32(content) };
}

async function listed(): Promise<{ name: string; writtenAt: Date }[]> {
  const all: { name: string; writtenAt: Date }[] = [];
  for await (const one of staged.list()) all.push(one);
  return all;
}

const names = () => readdir(join(directory, 'blobs/uploads'));

test('bytes go behind those that count, and what is behind them does not', async () => {
  await append(NAME, 0, 'one ', 'two ');
  await append(NAME, 8, 'three');
  expect(await text(staged.read(NAME, 13))).toBe('one two three');
  await append(NAME, 4, '2');
  expect(await text(staged.read(NAME, 5))).toBe('one 2');
});

test('bytes that are not there cannot be gone on from', async () => {
  await expect(staged.open(NAME, 1)).rejects.toThrow(expect.objectContaining({ code: 'not-found' }));
  await append(NAME, 0, 'one');
  await expect(staged.open(NAME, 4)).rejects.toThrow(expect.objectContaining({ code: 'not-found' }));
});

test('complete bytes become a blob', async () => {
  await append(NAME, 0, 'a blob');
  await staged.commit(NAME, blobOf('a blob'));
  expect((await blobs.readWhole(blobOf('a blob').digest)).toString()).toBe('a blob');
  expect(await names()).toEqual([]);
  await append(NAME, 0, 'a blob');
  await staged.commit(NAME, blobOf('a blob'));
  expect(await names()).toEqual([]);
  await expect(staged.commit(NAME, blobOf('a blob'))).rejects.toThrow(/not there/);
});

test('bytes of another length become none', async () => {
  await append(NAME, 0, 'a bl');
  await expect(staged.commit(NAME, blobOf('a blob'))).rejects.toThrow(/not there/);
  expect(await blobs.size(blobOf('a blob').digest)).toBe(null);
});

test('who still writes under the old name changes nothing under the new one', async () => {
  await append(NAME, 0, 'kept and dropped');
  const late = await staged.open(NAME, 16);
  await staged.move(NAME, 4, '0a1b-2c.1');
  await late.write([Buffer.from('late')]);
  await late.close();
  expect(await names()).toEqual(['0a1b-2c.1']);
  await append('0a1b-2c.1', 4, '!');
  expect(await text(staged.read('0a1b-2c.1', 5))).toBe('kept!');
});

test('listed, and removed', async () => {
  expect(await listed()).toEqual([]);
  await append(NAME, 0, 'x');
  const [only, ...rest] = await listed();
  expect([only!.name, rest]).toEqual([NAME, []]);
  expect(Math.abs(Date.now() - only!.writtenAt.getTime())).toBeLessThan(60_000);
  await staged.remove(NAME);
  await staged.remove(NAME);
  expect(await listed()).toEqual([]);
});

test.each(['', '../x.0', 'a/b.0', 'a', 'a.b', 'A.0', '\0.0'])('%j is no name', async (name) => {
  await expect(staged.open(name, 0)).rejects.toThrow(expect.objectContaining({ code: 'invalid-input' }));
});

test('a store that has no such area says so', () => {
  expect(() => openStagedBlobs(new MemoryBlobStore())).toThrow(
    expect.objectContaining({ code: 'not-implemented' }),
  );
});

test('chunks belong to their owner again when they are written, and not before', async () => {
  const file = await staged.open(NAME, 0);
  const given: string[] = [];
  for (const content of ['one ', 'two ', 'three']) {
    const chunks = [Buffer.alloc(content.length, content), Buffer.alloc(0)];
    await file.write(chunks, () => {
      given.push(content);
      releaseBuffers(chunks);
    });
  }
  await file.close();
  expect(given).toEqual(['one ', 'two ', 'three']);
  expect(await text(staged.read(NAME, 13))).toBe('one two three');
});

test('a disk that takes nothing is told of, and keeps its chunks', async () => {
  await mkdir(join(directory, 'blobs/uploads'), { recursive: true });
  await symlink('/dev/full', join(directory, 'blobs/uploads', NAME));
  const file = await staged.open(NAME, 0);
  const onWritten = vi.fn();
  await file.write([Buffer.from('one')], onWritten);
  await expect(file.write([Buffer.from('two')], onWritten)).rejects.toThrow('ENOSPC');
  await expect(file.close()).rejects.toThrow('ENOSPC');
  expect(onWritten).not.toHaveBeenCalled();
});
