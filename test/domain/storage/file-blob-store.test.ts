import { createHash } from 'node:crypto';
import { linkSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readSettings } from '../../../src/domain/config.ts';
import type { Digest } from '../../../src/domain/storage/blob-store.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { openBlobStore } from '../../../src/domain/storage/open-blob-store.ts';

let root: string;
let store: FileBlobStore;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'blobs-'));
  store = new FileBlobStore(root);
});
afterEach(() => rm(root, { recursive: true, force: true }));

const digestOf = (bytes: Uint8Array): Digest => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const temporaryFiles = () => readdirSync(join(root, 'tmp'));
const storedFiles = async () => {
  const digests: Digest[] = [];
  for await (const blob of store.list()) digests.push(blob.digest);
  return digests;
};
const ABSENT: Digest = `sha256:${'0'.repeat(64)}`;

describe.each(['now', 'batch'] as const)('durability %s', (durability) => {
  test.each([0, 1, 1000, 1024 * 1024, 3 * 1024 * 1024 + 7])('keeps %i bytes', async (size) => {
    const bytes = Buffer.alloc(size, 'stowage');
    const expected = { digest: digestOf(bytes), size, crc32: crc32(bytes) };
    expect(
      await store.write(Readable.from([bytes.subarray(0, size / 2), bytes.subarray(size / 2)]), {
        durability,
      }),
    ).toEqual(expected);
    expect(await store.write(bytes, { durability })).toEqual(expected);
    await store.sync([expected.digest, expected.digest]);
    expect((await store.readWhole(expected.digest)).equals(bytes)).toBe(true);
    expect((await buffer(store.read(expected.digest))).equals(bytes)).toBe(true);
    expect(await store.size(expected.digest)).toBe(size);
    expect(await storedFiles()).toEqual([expected.digest]);
    expect(temporaryFiles()).toEqual([]);
    const hex = expected.digest.slice(7);
    expect(store.localPath(expected.digest)).toBe(join(root, 'sha256', hex.slice(0, 2), hex));
    expect(statSync(store.localPath(expected.digest)).mode & 0o777).toBe(0o444);
    expect(statSync(store.localPath(expected.digest)).nlink).toBe(1);
  });

  test('writing the same bytes at the same time keeps one copy', async () => {
    const blobs = await Promise.all(
      Array.from({ length: 8 }, () => store.write(Buffer.from('twice'), { durability })),
    );
    expect(new Set(blobs.map((blob) => blob.digest)).size).toBe(1);
    expect(await storedFiles()).toEqual([blobs[0]!.digest]);
    expect(temporaryFiles()).toEqual([]);
  });
});

test('a second write of the same bytes keeps the first file, and makes it young again', async () => {
  const { digest } = await store.write(Buffer.from('kept'));
  const path = store.localPath(digest);
  const inode = statSync(path).ino;
  utimesSync(path, 0, 0);
  await store.write(Buffer.from('kept'), { durability: 'batch' });
  expect(statSync(path).ino).toBe(inode);
  expect(statSync(path).mtimeMs).toBeGreaterThan(0);
});

test('a file that a power failure cut short is replaced', async () => {
  const { digest } = await store.write(Buffer.from('whole'));
  await store.delete(digest);
  writeFileSync(store.localPath(digest), '');
  await store.write(Buffer.from('whole'));
  expect(readFileSync(store.localPath(digest), 'utf8')).toBe('whole');
  expect(temporaryFiles()).toEqual([]);
});

test('a hard link survives the blob', async () => {
  const { digest } = await store.write(Buffer.from('linked'));
  linkSync(store.localPath(digest), join(root, 'copy'));
  await store.delete(digest);
  await store.delete(digest);
  expect(await store.size(digest)).toBeNull();
  expect(readFileSync(join(root, 'copy'), 'utf8')).toBe('linked');
});

test.each([
  ['small', Buffer.from('other')],
  ['large', Buffer.alloc(2 * 1024 * 1024, 1)],
])('a %s blob with another digest than expected leaves nothing', async (_, bytes) => {
  await expect(store.write(bytes, { expectedDigest: ABSENT })).rejects.toMatchObject({
    code: 'checksum-mismatch',
    details: { expected: ABSENT, actual: digestOf(bytes) },
  });
  const writer = await store.createWriter({ expectedDigest: ABSENT });
  await writer.write(bytes);
  await expect(writer.commit()).rejects.toMatchObject({ code: 'checksum-mismatch' });
  expect(temporaryFiles()).toEqual([]);
  expect(await storedFiles()).toEqual([]);
});

test('a stream that fails leaves nothing', async () => {
  const content = (async function* () {
    yield Buffer.alloc(2 * 1024 * 1024);
    throw new Error('the line is cut');
  })();
  await expect(store.write(content)).rejects.toThrow('the line is cut');
  expect(temporaryFiles()).toEqual([]);
});

test('an aborted write leaves nothing', async () => {
  const controller = new AbortController();
  const writer = await store.createWriter({ signal: controller.signal });
  await writer.write(Buffer.alloc(2 * 1024 * 1024));
  expect(temporaryFiles()).toHaveLength(1);
  controller.abort(new Error('cancelled'));
  await expect(writer.write(Buffer.alloc(1))).rejects.toThrow('cancelled');
  await expect(writer.commit()).rejects.toThrow('cancelled');
  await writer.abort();
  expect(temporaryFiles()).toEqual([]);
  await expect(store.write(Buffer.from('x'), { signal: controller.signal })).rejects.toThrow('cancelled');
});

test('abort after commit keeps the blob', async () => {
  const writer = await store.createWriter();
  await writer.write(Buffer.from('done'));
  expect(writer.size).toBe(4);
  const { digest } = await writer.commit();
  await writer.abort();
  expect(await store.size(digest)).toBe(4);
});

test.each([
  [{ start: 0, end: 3 }, 'abc'],
  [{ start: 2, end: 100 }, 'cdef'],
  [{ start: 3, end: 3 }, ''],
])('reads the range %o', async (range, expected) => {
  const { digest } = await store.write(Buffer.from('abcdef'));
  expect((await buffer(store.read(digest, range))).toString()).toBe(expected);
});

test('what is not there is not found', async () => {
  await expect(buffer(store.read(ABSENT))).rejects.toMatchObject({ code: 'not-found' });
  await expect(store.readWhole(ABSENT)).rejects.toMatchObject({ code: 'not-found' });
  expect(await store.size(ABSENT)).toBeNull();
  expect(await storedFiles()).toEqual([]);
  await store.sync([ABSENT]);
});

test('reads a part, and never less than was asked for', async () => {
  const { digest } = await store.write(Buffer.from('0123456789'));
  expect((await store.readPart(digest, { start: 2, end: 5 })).toString()).toBe('234');
  expect(await store.readPart(digest, { start: 4, end: 4 })).toEqual(Buffer.alloc(0));
  await expect(store.readPart(digest, { start: 8, end: 11 })).rejects.toThrow(
    `The blob ${digest} is shorter than it was`,
  );
  await expect(store.readPart(ABSENT, { start: 0, end: 1 })).rejects.toThrow(`There is no blob ${ABSENT}`);
});

test('reads no large blob whole', async () => {
  const { digest } = await store.write(Buffer.from('abcdef'));
  await expect(store.readWhole(digest, 5)).rejects.toMatchObject({ code: 'invalid-input' });
});

test.each([
  'sha256:..',
  `sha256:../${'0'.repeat(61)}`,
  `sha512:${'0'.repeat(64)}`,
  `sha256:${'A'.repeat(64)}`,
])('refuses the digest %s', (digest) => {
  expect(() => store.localPath(digest as Digest)).toThrow(/is not a digest/);
});

test('syncs a large batch', async () => {
  const blobs = await Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      store.write(Buffer.from(`file ${index}`), { durability: 'batch' }),
    ),
  );
  await store.sync(blobs.map((blob) => blob.digest));
  expect((await storedFiles()).toSorted()).toEqual(blobs.map((blob) => blob.digest).toSorted());
});

test('sweeps what dead writers left', async () => {
  await store.check();
  for (const name of ['11-dead', '12-alive', `${process.pid}-own`, 'README']) {
    writeFileSync(join(root, 'tmp', name), '');
  }
  expect(await store.sweepTemporaryFiles((pid) => pid === 12)).toBe(1);
  expect(temporaryFiles().toSorted()).toEqual(['12-alive', 'README', `${process.pid}-own`].toSorted());
});

test('check fails where nothing can be written', async () => {
  writeFileSync(join(root, 'file'), '');
  await expect(new FileBlobStore(join(root, 'file')).check()).rejects.toMatchObject({ code: 'ENOTDIR' });
});

test('the setting decides which store is used', async () => {
  const opened = await openBlobStore(readSettings({ STOWAGE_BLOB_STORE: `file:${root}` }));
  expect(opened.localPath(ABSENT)).toBe(store.localPath(ABSENT));
  const inBucket = await openBlobStore(readSettings({ STOWAGE_BLOB_STORE: 's3://bucket/prefix' }));
  expect(inBucket.localPath(ABSENT)).toBeNull();
  for (const value of ['s3://', 's3:///x', 's3://Bucket', 's3://a b/c', 'bucket', 'file:']) {
    expect(() => readSettings({ STOWAGE_BLOB_STORE: value })).toThrow(
      `STOWAGE_BLOB_STORE must be file:DIRECTORY or s3://BUCKET/PREFIX, not "${value}"`,
    );
  }
});

describe('deleting what was written before', () => {
  const bytes = Buffer.from('wanted by two');
  const digest = digestOf(bytes);

  test('removes it', async () => {
    await store.write(bytes);
    await store.delete(digest, { writtenBefore: new Date(Date.now() + 1000) });
    expect(await storedFiles()).toEqual([]);
    expect(temporaryFiles()).toEqual([]);
    await store.delete(digest, { writtenBefore: new Date() });
  });

  test('spares what somebody has written since', async () => {
    await store.write(bytes);
    const old = new Date(Date.now() - 10_000);
    utimesSync(store.localPath(digest), old, old);
    await store.write(bytes);
    await store.delete(digest, { writtenBefore: new Date(old.getTime() + 5000) });
    expect((await store.readWhole(digest)).equals(bytes)).toBe(true);
    expect(temporaryFiles()).toEqual([]);
  });

  test('while others write: what was written is there', async () => {
    for (let round = 0; round < 200; round++) {
      await store.write(bytes, { durability: 'batch' });
      const before = new Date(Date.now() - 1000);
      utimesSync(store.localPath(digest), before, before);
      await Promise.all([
        store.delete(digest, { writtenBefore: new Date(before.getTime() + 500) }),
        store.write(bytes, { durability: 'batch' }),
        store.write(bytes, { durability: 'batch' }),
      ]);
      expect(await store.size(digest)).toBe(bytes.length);
    }
    expect(temporaryFiles()).toEqual([]);
  });
});

test('a writer learns that the store had its blob', async () => {
  const present: string[] = [];
  await store.write(Buffer.from('a'), { onPresent: () => present.push('first') });
  await store.write(Buffer.from('a'), { onPresent: () => present.push('second') });
  expect(present).toEqual(['second']);
});
