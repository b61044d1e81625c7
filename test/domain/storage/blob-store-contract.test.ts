import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BlobStore, Digest } from '../../../src/domain/storage/blob-store.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { S3BlobStore } from '../../../src/domain/storage/s3-blob-store.ts';
import { MemoryBlobStore } from '../../support/memory-blob-store.ts';
import { hasS3, type S3Server, startS3Server } from '../../support/s3-server.ts';

/** A store of its own, and what lies around in it besides blobs. */
interface Opened {
  store: BlobStore;
  leftovers(): Promise<string[]>;
}

const MIB = 1024 * 1024;
const ABSENT: Digest = `sha256:${'0'.repeat(64)}`;
const digestOf = (bytes: Uint8Array): Digest => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

let directory: string;
let s3: S3Server | null = null;
let stores = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stowage-contract-'));
  if (hasS3) s3 = await startS3Server();
});
afterAll(async () => {
  await s3?.stop();
  await rm(directory, { recursive: true, force: true });
});

const OPEN: Record<string, () => Opened> = {
  memory: () => ({ store: new MemoryBlobStore(), leftovers: async () => [] }),
  files: () => {
    const root = join(directory, `files-${stores}`);
    return {
      store: new FileBlobStore(root),
      leftovers: () => readdir(join(root, 'tmp')).catch(() => []),
    };
  },
  ...(hasS3 && {
    S3: () => {
      const prefix = `store-${stores}`;
      return {
        store: new S3BlobStore(s3!.location(prefix)),
        leftovers: async () =>
          (await s3!.objects(prefix)).filter((key) => !key.startsWith(`${prefix}/sha256/`)),
      };
    },
  }),
};

describe.each(Object.entries(OPEN))('%s', (_, open) => {
  let store: BlobStore;
  let leftovers: () => Promise<string[]>;

  beforeEach(() => {
    stores += 1;
    ({ store, leftovers } = open());
  });

  const stored = async (): Promise<Digest[]> => {
    const digests: Digest[] = [];
    for await (const blob of store.list()) digests.push(blob.digest);
    return digests.toSorted();
  };

  describe.each([0, 1000, 8 * MIB, 21 * MIB + 7])('%i bytes', (size) => {
    const bytes = Buffer.concat([
      randomBytes(Math.min(size, 1000)),
      Buffer.alloc(Math.max(0, size - 1000), 'stowage'),
    ]);
    const expected = { digest: digestOf(bytes), size, crc32: crc32(bytes) };
    const pieces = () => Readable.from([bytes.subarray(0, size / 2), bytes.subarray(size / 2)]);

    test.each([
      ['of any digest', {}],
      ['of a known digest', { expectedDigest: expected.digest }],
      ['synced later', { durability: 'batch' }],
    ] as const)('%s', async (_what, options) => {
      expect(await store.write(pieces(), options)).toEqual(expected);
      expect(await store.write(bytes, options)).toEqual(expected);
      await store.sync([expected.digest, expected.digest]);
      expect(await store.size(expected.digest)).toBe(size);
      expect((await store.readWhole(expected.digest)).equals(bytes)).toBe(true);
      expect((await buffer(store.read(expected.digest))).equals(bytes)).toBe(true);
      const half = { start: Math.floor(size / 2), end: size };
      expect((await buffer(store.read(expected.digest, half))).equals(bytes.subarray(half.start))).toBe(true);
      expect((await store.readPart(expected.digest, half)).equals(bytes.subarray(half.start))).toBe(true);
      expect(await stored()).toEqual([expected.digest]);
      expect(await leftovers()).toEqual([]);
    });

    test('others than expected leave nothing', async () => {
      const refusal = { code: 'checksum-mismatch', details: { expected: ABSENT, actual: expected.digest } };
      await expect(store.write(pieces(), { expectedDigest: ABSENT })).rejects.toMatchObject(refusal);
      const writer = await store.createWriter({ expectedDigest: ABSENT });
      await writer.write(bytes);
      await expect(writer.commit()).rejects.toMatchObject({ code: 'checksum-mismatch' });
      expect(await stored()).toEqual([]);
      expect(await leftovers()).toEqual([]);
    });

    test.each([
      ['any', {}],
      ['a known', { expectedDigest: expected.digest }],
    ])('of %s digest leave nothing when their stream fails', async (_what, options) => {
      const broken = (async function* () {
        yield bytes;
        throw new Error('the line is cut');
      })();
      await expect(store.write(broken, options)).rejects.toThrow('the line is cut');
      expect(await stored()).toEqual([]);
      expect(await leftovers()).toEqual([]);
    });

    test('leave nothing when they are aborted', async () => {
      const controller = new AbortController();
      const writer = await store.createWriter({ signal: controller.signal });
      await writer.write(bytes);
      controller.abort(new Error('cancelled'));
      await expect(writer.write(Buffer.alloc(1))).rejects.toThrow('cancelled');
      await expect(writer.commit()).rejects.toThrow('cancelled');
      await writer.abort();
      expect(await stored()).toEqual([]);
      expect(await leftovers()).toEqual([]);
      await expect(store.write(bytes, { signal: controller.signal })).rejects.toThrow('cancelled');
    });

    test('are set aside, deleted and made anew', async () => {
      await store.write(bytes);
      await store.setAside(expected.digest);
      await store.setAside(expected.digest);
      expect(await stored()).toEqual([]);
      await store.write(bytes);
      expect(await store.size(expected.digest)).toBe(size);
      await store.delete(expected.digest);
      await store.delete(expected.digest);
      expect(await store.size(expected.digest)).toBeNull();
    });

    test('are known to be there already', async () => {
      const present: string[] = [];
      await store.write(bytes, { onPresent: () => present.push('first') });
      await store.write(bytes, { onPresent: () => present.push('second') });
      await store.write(bytes, {
        expectedDigest: expected.digest,
        onPresent: () => present.push('third'),
      });
      expect(present).toEqual(['second', 'third']);
    });
  });

  test('the same bytes at the same time are one blob', async () => {
    const bytes = Buffer.alloc(9 * MIB, 'twice');
    const write = (content: Buffer) => Array.from({ length: 4 }, () => store.write(content));
    await Promise.all([...write(bytes), ...write(Buffer.from('twice'))]);
    expect(await stored()).toEqual([digestOf(bytes), digestOf(Buffer.from('twice'))].toSorted());
    expect(await leftovers()).toEqual([]);
  });

  test('a writer counts, ends once, and takes nothing back', async () => {
    const writer = await store.createWriter();
    await writer.write(Buffer.from('do'));
    await writer.write(Buffer.from('ne'));
    expect(writer.size).toBe(4);
    const { digest } = await writer.commit();
    await writer.abort();
    await expect(writer.write(Buffer.from('!'))).rejects.toThrow('The blob is finished');
    await expect(writer.commit()).rejects.toThrow('The blob is finished');
    expect(await store.size(digest)).toBe(4);
  });

  test.each([
    [{ start: 0, end: 3 }, 'abc'],
    [{ start: 2, end: 100 }, 'cdef'],
    [{ start: 3, end: 3 }, ''],
    [{ start: 6, end: 9 }, ''],
    [{ start: 20, end: 21 }, ''],
  ])('reads the range %o', async (range, expected) => {
    const { digest } = await store.write(Buffer.from('abcdef'));
    expect((await buffer(store.read(digest, range))).toString()).toBe(expected);
  });

  test('reads a part, and never less than was asked for', async () => {
    const { digest } = await store.write(Buffer.from('0123456789'));
    expect((await store.readPart(digest, { start: 2, end: 5 })).toString()).toBe('234');
    expect(await store.readPart(digest, { start: 4, end: 4 })).toEqual(Buffer.alloc(0));
    for (const range of [
      { start: 8, end: 11 },
      { start: 10, end: 11 },
    ]) {
      await expect(store.readPart(digest, range)).rejects.toThrow(
        `The blob ${digest} is shorter than it was`,
      );
    }
  });

  test('a reader that goes away early stops the reading', async () => {
    const { digest } = await store.write(Buffer.alloc(9 * MIB, 1));
    for await (const chunk of store.read(digest)) {
      expect((chunk as Buffer)[0]).toBe(1);
      break;
    }
  });

  test('reads no large blob whole', async () => {
    const { digest } = await store.write(Buffer.from('abcdef'));
    await expect(store.readWhole(digest, 5)).rejects.toMatchObject({ code: 'invalid-input' });
    expect((await store.readWhole(digest, 6)).toString()).toBe('abcdef');
  });

  test('what is not there is not found', async () => {
    const notFound = { code: 'not-found', message: `There is no blob ${ABSENT}` };
    await expect(buffer(store.read(ABSENT))).rejects.toMatchObject(notFound);
    await expect(store.readPart(ABSENT, { start: 0, end: 1 })).rejects.toMatchObject(notFound);
    await expect(store.readWhole(ABSENT)).rejects.toMatchObject(notFound);
    expect(await store.size(ABSENT)).toBeNull();
    expect(await stored()).toEqual([]);
    await store.sync([ABSENT]);
    await store.delete(ABSENT);
    await store.delete(ABSENT, { writtenBefore: new Date() });
    await store.setAside(ABSENT);
  });

  test.each([
    'sha256:..',
    `sha256:../${'0'.repeat(61)}`,
    `sha512:${'0'.repeat(64)}`,
    `sha256:${'A'.repeat(64)}`,
  ])('refuses the digest %s', async (digest) => {
    expect(() => store.read(digest as Digest)).toThrow(/is not a digest/);
    await expect(store.size(digest as Digest)).rejects.toThrow(/is not a digest/);
  });

  test('lists with size and time', async () => {
    const before = Date.now() - 2_000;
    await store.write(Buffer.from('a blob'));
    for await (const { size, writtenAt } of store.list()) {
      expect(size).toBe(6);
      expect(writtenAt.getTime()).toBeGreaterThan(before);
      expect(writtenAt.getTime()).toBeLessThan(Date.now() + 2_000);
    }
  });

  test('lists more than one page', async () => {
    const digests: Digest[] = [];
    for (let round = 0; round < 21; round++) {
      const batch = Array.from({ length: 50 }, (_none, index) => Buffer.from(`${round} ${index}`));
      await Promise.all(batch.map((bytes) => store.write(bytes, { durability: 'batch' })));
      digests.push(...batch.map(digestOf));
    }
    await store.sync(digests);
    expect(await stored()).toEqual(digests.toSorted());
  });

  test('can be written', async () => {
    await store.check();
    await store.check({ space: true });
  });

  describe('deleting what was written before', () => {
    const bytes = Buffer.from('wanted by two');
    const digest = digestOf(bytes);

    test('removes it', async () => {
      await store.write(bytes);
      await store.delete(digest, { writtenBefore: new Date(Date.now() + 3_000) });
      expect(await stored()).toEqual([]);
      expect(await leftovers()).toEqual([]);
    });

    test('spares what was written later', async () => {
      const before = new Date(Date.now() - 3_000);
      await store.write(bytes);
      await store.delete(digest, { writtenBefore: before });
      expect(await stored()).toEqual([digest]);
      expect(await leftovers()).toEqual([]);
    });

    test('while others write: what was written is there', async () => {
      const all = Array.from({ length: 30 }, (_none, index) => Buffer.from(`wanted by two, ${index}`));
      await Promise.all(all.map((one) => store.write(one)));
      // Stores tell times of different precision: from now on what lies there is old, and what is written is not.
      const old = new Date(Date.now() + 1_100);
      await expect.poll(() => Date.now(), { timeout: 5_000 }).toBeGreaterThan(old.getTime() + 1_100);
      await Promise.all(
        all.flatMap((one, index) => [
          ...(index % 2 === 0 ? [store.write(one)] : []),
          store.delete(digestOf(one), { writtenBefore: old }),
          store.write(one),
          store.write(one, { expectedDigest: digestOf(one) }),
        ]),
      );
      expect(await stored()).toEqual(all.map(digestOf).toSorted());
      expect(await leftovers()).toEqual([]);
    });
  });
});
