import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Digest } from '../../../src/domain/storage/blob-store.ts';
import { S3BlobStore } from '../../../src/domain/storage/s3-blob-store.ts';
import { S3Bucket } from '../../../src/domain/storage/s3-bucket.ts';
import { markOf } from '../../../src/domain/storage/s3-keys.ts';
import { describeWithS3, type S3Server, startS3Server } from '../../support/s3-server.ts';

const MIB = 1024 * 1024;

/** What only this store has; blob-store-contract.test.ts has what all have. */
describeWithS3('a store on S3', () => {
  let s3: S3Server;
  let store: S3BlobStore;
  let prefix: string;
  let tests = 0;

  beforeAll(async () => {
    s3 = await startS3Server();
  });
  afterAll(() => s3.stop());
  beforeEach(() => {
    tests += 1;
    prefix = `store-${tests}`;
    store = new S3BlobStore(s3.location(prefix));
  });

  test('what dead writers left is swept when it is old', async () => {
    const { digest } = await store.write(Buffer.from('a blob'));
    for (const options of [{}, { expectedDigest: digest }]) {
      const writer = await store.createWriter(options);
      await writer.write(randomBytes(9 * MIB));
    }
    const bucket = new S3Bucket(s3.location(prefix));
    await bucket.put('tmp/left', Buffer.from('complete, and not copied yet'));
    await bucket.put(markOf(digest), Buffer.alloc(0));
    // Of a writer that is just sending them.
    await expect.poll(async () => (await s3.objects(prefix)).length).toBeGreaterThanOrEqual(5);
    expect(await store.sweepTemporaryFiles()).toBe(0);
    const later = new S3BlobStore(s3.location(prefix), { temporaryAgeMs: -2_000 });
    expect(await later.sweepTemporaryFiles()).toBe(4);
    expect(await s3.objects(prefix)).toEqual([`${prefix}/sha256/${digest.slice(7, 9)}/${digest.slice(7)}`]);
  });

  test('one at a time deletes what is old', async () => {
    const { digest } = await store.write(Buffer.from('a blob'));
    const bucket = new S3Bucket(s3.location(prefix));
    await bucket.put(markOf(digest), Buffer.alloc(0));
    const writtenBefore = new Date(Date.now() + 10_000);
    await store.delete(digest, { writtenBefore });
    expect(await store.size(digest)).toBe(6);
    await bucket.remove(markOf(digest));
    await store.delete(digest, { writtenBefore });
    expect(await store.size(digest)).toBeNull();
    expect(await s3.objects(prefix)).toEqual([]);
  });

  test('a reader goes on when its connection breaks', async () => {
    const bytes = randomBytes(40 * MIB);
    const { digest } = await store.write(bytes);
    const pieces: Buffer[] = [];
    let length = 0;
    let wasBroken = false;
    for await (const piece of store.read(digest) as AsyncIterable<Buffer>) {
      pieces.push(piece);
      length += piece.length;
      if (wasBroken || length < MIB) continue;
      wasBroken = true;
      await s3.kill();
      await s3.start();
    }
    expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
  });

  test.each([
    ['a bucket that is not there', { bucket: 'nothing-here' }, /bucket/],
    ['a server that is not there', { endpoint: 'http://127.0.0.1:9' }, /ECONNREFUSED/],
  ])('%s is a store that is away', async (_what, change, message) => {
    const away = new S3BlobStore({ ...s3.location(prefix), ...change });
    const told = { code: 'blob-store-unavailable', retryable: true, message: expect.stringMatching(message) };
    const digest: Digest = `sha256:${'0'.repeat(64)}`;
    await expect(away.check()).rejects.toMatchObject(told);
    await expect(away.write(Buffer.from('x'))).rejects.toMatchObject(told);
    await expect(away.write(randomBytes(9 * MIB))).rejects.toMatchObject(told);
    await expect(buffer(away.read(digest))).rejects.toMatchObject(told);
    await expect(away.sweepTemporaryFiles()).rejects.toMatchObject(told);
  });
});
