import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BlobStore, StoredBlob } from '../../../src/domain/storage/blob-store.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { releaseBuffers } from '../../../src/domain/storage/release-buffers.ts';
import { S3BlobStore } from '../../../src/domain/storage/s3-blob-store.ts';
import { openStagedBlobs, type StagedBlobs } from '../../../src/domain/storage/staged-blobs.ts';
import { hasS3, type S3Server, startS3Server } from '../../support/s3-server.ts';

const MIB = 1024 * 1024;
const NAME = '0a1b-2c.0';

let directory: string;
let s3: S3Server | null = null;
let stores = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stowage-staged-'));
  if (hasS3) s3 = await startS3Server();
});
afterAll(async () => {
  await s3?.stop();
  await rm(directory, { recursive: true, force: true });
});

const OPEN: Record<string, () => BlobStore> = {
  files: () => new FileBlobStore(join(directory, `files-${stores}`)),
  ...(hasS3 && { S3: () => new S3BlobStore(s3!.location(`store-${stores}`)) }),
};

describe.each(Object.entries(OPEN))('%s', (_, open) => {
  let blobs: BlobStore;
  let staged: StagedBlobs;
  /** Of another gateway. */
  let elsewhere: StagedBlobs;

  beforeEach(() => {
    stores += 1;
    blobs = open();
    staged = openStagedBlobs(blobs);
    elsewhere = openStagedBlobs(open());
  });

  async function append(name: string, size: number, ...chunks: (string | Buffer)[]): Promise<void> {
    const file = await staged.open(name, size);
    for (const chunk of chunks) await file.write([Buffer.from(chunk), new Uint8Array()]);
    await file.close();
  }

  async function names(): Promise<string[]> {
    const all: string[] = [];
    for await (const { name } of staged.list()) all.push(name);
    return all;
  }

  test('bytes go behind those that count, and what is behind them does not', async () => {
    await append(NAME, 0, 'one ', 'two ');
    await append(NAME, 8, 'three');
    expect(await text(elsewhere.read(NAME, 13))).toBe('one two three');
    await append(NAME, 4, '2');
    expect(await text(elsewhere.read(NAME, 5))).toBe('one 2');
    await append(NAME, 2, '!');
    await append(NAME, 0);
    await expect(staged.open(NAME, 1)).rejects.toMatchObject({ code: 'not-found' });
  });

  test('bytes that are not there cannot be gone on from', async () => {
    await expect(staged.open(NAME, 1)).rejects.toMatchObject({ code: 'not-found' });
    await append(NAME, 0, 'one');
    await expect(staged.open(NAME, 4)).rejects.toMatchObject({ code: 'not-found' });
    await expect(buffer(staged.read('0a1b-2c.7', 4))).rejects.toMatchObject({ code: 'not-found' });
    expect((await buffer(staged.read('0a1b-2c.7', 0))).length).toBe(0);
  });

  // Of the lengths of pieces that come one by one, each by a request of its own.
  test.each([
    ['small', [1, 2, 3]],
    ['one large', [9 * MIB]],
    ['one of just a part', [8 * MIB]],
    ['large ones', [8 * MIB, 17 * MIB + 5, 8 * MIB]],
    ['small ones between large ones', [6 * MIB, 3, MIB, 9 * MIB, 1]],
    ['small ones that make up a part', [3 * MIB, 3 * MIB, 3 * MIB, 100]],
    ['many', Array.from({ length: 40 }, () => 256 * 1024 + 1)],
    ['a small one last', [5 * MIB, 5 * MIB, 1]],
    ['a small one first', [1, 5 * MIB, 5 * MIB]],
  ] as const)(
    'complete bytes become a blob: %s',
    async (_what, lengths) => {
      const pieces = lengths.map((length) => randomBytes(length));
      const content = Buffer.concat(pieces);
      let size = 0;
      for (const [index, piece] of pieces.entries()) {
        const file = await (index % 2 === 0 ? staged : elsewhere).open(NAME, size);
        for (let at = 0; at < piece.length; at += 300_000)
          await file.write([piece.subarray(at, at + 300_000)]);
        await file.close();
        size += piece.length;
        expect(file.kept).toBeLessThanOrEqual(size);
      }
      expect((await buffer(elsewhere.read(NAME, size))).equals(content)).toBe(true);
      await staged.commit(NAME, blobOf(content));
      expect((await blobs.readWhole(blobOf(content).digest)).equals(content)).toBe(true);
      expect(await names()).toEqual([]);
      await append(NAME, 0, content);
      await staged.commit(NAME, blobOf(content));
      expect(await names()).toEqual([]);
      await expect(staged.commit(NAME, blobOf(content))).rejects.toThrow(/not there/);
    },
    120_000,
  );

  test('what came behind a blob is not in it', async () => {
    const content = randomBytes(9 * MIB);
    await append(NAME, 0, content, 'and more');
    await staged.commit(NAME, blobOf(content.subarray(0, 7 * MIB)));
    expect(await blobs.size(blobOf(content.subarray(0, 7 * MIB)).digest)).toBe(7 * MIB);
  });

  test('bytes of another length become none', async () => {
    await append(NAME, 0, 'a bl');
    await expect(staged.commit(NAME, blobOf(Buffer.from('a blob')))).rejects.toThrow(/not there/);
    expect(await blobs.size(blobOf(Buffer.from('a blob')).digest)).toBe(null);
  });

  test('who still writes under the old name changes nothing under the new one', async () => {
    const content = randomBytes(20 * MIB);
    await append(NAME, 0, content);
    const late = await staged.open(NAME, content.length);
    await staged.move(NAME, 17 * MIB, '0a1b-2c.1');
    await late.write([Buffer.from('late')]);
    await late.close();
    await append('0a1b-2c.1', 17 * MIB, '!');
    expect(
      (await buffer(staged.read('0a1b-2c.1', 17 * MIB + 1))).equals(
        Buffer.concat([content.subarray(0, 17 * MIB), Buffer.from('!')]),
      ),
    ).toBe(true);
    await staged.remove(NAME);
    expect(await names()).toEqual(['0a1b-2c.1']);
  });

  test('what is kept never lies before what is written, and in the end is all of it', async () => {
    const file = await staged.open(NAME, 0);
    for (let written = 0; written < 20 * MIB; written += MIB) {
      await file.write([Buffer.alloc(MIB)]);
      expect(file.kept).toBeLessThanOrEqual(written + MIB);
      const { kept } = file;
      if (kept > 0) expect((await buffer(elsewhere.read(NAME, kept))).length).toBe(kept);
    }
    await file.close();
    expect((await buffer(elsewhere.read(NAME, 20 * MIB))).length).toBe(20 * MIB);
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

  test('listed, and removed', async () => {
    expect(await names()).toEqual([]);
    await append(NAME, 0, 'x');
    await append(NAME, 1, 'y');
    await append('0a1b-2c.1', 0, 'z');
    for await (const { writtenAt } of staged.list()) {
      expect(Math.abs(Date.now() - writtenAt.getTime())).toBeLessThan(60_000);
    }
    expect((await names()).toSorted()).toEqual([NAME, '0a1b-2c.1']);
    await staged.remove(NAME);
    await staged.remove(NAME);
    expect(await names()).toEqual(['0a1b-2c.1']);
  });

  test.each(['', '../x.0', 'a/b.0', 'a', 'a.b', 'A.0', '\0.0'])('%j is no name', async (name) => {
    await expect(staged.open(name, 0)).rejects.toMatchObject({ code: 'invalid-input' });
  });
});

function blobOf(content: Buffer): StoredBlob {
  const hex = createHash('sha256').update(content).digest('hex');
  return { digest: `sha256:${hex}`, size: content.length, crc32: crc32(content) };
}
