import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { openStagedBlobs, type StagedBlobs } from '../../../src/domain/storage/staged-blobs.ts';
import { MemoryBlobStore } from '../../support/memory-blob-store.ts';

/** What only files have; staged-blobs-contract.test.ts has what all stores have. */
let directory: string;
let staged: StagedBlobs;
const NAME = '0a1b-2c.0';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stowage-staged-'));
  staged = openStagedBlobs(new FileBlobStore(join(directory, 'blobs')));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function append(name: string, size: number, content: string): Promise<void> {
  const file = await staged.open(name, size);
  await file.write([Buffer.from(content)]);
  await file.close();
}

test('who still writes under the old name changes nothing under the new one', async () => {
  await append(NAME, 0, 'kept and dropped');
  const late = await staged.open(NAME, 16);
  await staged.move(NAME, 4, '0a1b-2c.1');
  await late.write([Buffer.from('late')]);
  await late.close();
  expect(await readdir(join(directory, 'blobs/uploads'))).toEqual(['0a1b-2c.1']);
  await append('0a1b-2c.1', 4, '!');
  expect(await text(staged.read('0a1b-2c.1', 5))).toBe('kept!');
});

test('a store that has no such area says so', () => {
  expect(() => openStagedBlobs(new MemoryBlobStore())).toThrow(
    expect.objectContaining({ code: 'not-implemented' }),
  );
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
