import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EXIT_CODES } from '../../../src/cli/exit-codes.ts';
import type { BlobStore, Digest } from '../../../src/domain/storage/blob-store.ts';
import { copyBlobs } from '../../../src/domain/storage/copy-blobs.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { S3BlobStore } from '../../../src/domain/storage/s3-blob-store.ts';
import { describeWithS3, type S3Server, startS3Server } from '../../support/s3-server.ts';
import { StowageCommand, stowage } from '../../support/stowage-command.ts';

const MIB = 1024 * 1024;

async function digestsIn(store: BlobStore): Promise<Digest[]> {
  const digests: Digest[] = [];
  for await (const { digest } of store.list()) digests.push(digest);
  return digests.toSorted();
}

describe('stowage blobs copy', { timeout: 180_000 }, () => {
  let directory: string;
  let store: FileBlobStore;
  let all: Digest[];

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'stowage-blobs-'));
    store = new FileBlobStore(join(directory, 'from'));
    const contents = [Buffer.alloc(0), Buffer.from('small'), randomBytes(300_000), randomBytes(9 * MIB)];
    for (const content of contents) await store.write(content);
    all = await digestsIn(store);
    return () => rmSync(directory, { recursive: true, force: true });
  });

  const copy = (from: string, to: string, env: Record<string, string> = {}) =>
    stowage(['blobs', 'copy', '--from', from, '--to', to, '--json'], { env });

  test('copies what is missing, and what is damaged not at all', async () => {
    const to = new FileBlobStore(join(directory, 'to'));
    await to.write(Buffer.from('small'));
    const { digest: damaged } = await store.write(Buffer.from('to be damaged'));
    chmodSync(store.localPath(damaged), 0o644);
    writeFileSync(store.localPath(damaged), 'no more what it was');
    const first = await copy(`file:${store.root}`, `file:${to.root}`);
    expect([first.status, JSON.parse(first.stdout)]).toEqual([
      EXIT_CODES['checksum-mismatch'],
      { copied: 3, bytes: 9 * MIB + 300_000, present: 1, damaged: [damaged] },
    ]);
    expect(await digestsIn(to)).toEqual(all);
    await store.delete(damaged);
    const second = await copy(`file:${store.root}`, `file:${to.root}`);
    expect([second.status, JSON.parse(second.stdout)]).toEqual([
      0,
      { copied: 0, bytes: 0, present: 4, damaged: [] },
    ]);
    expect(await readdir(join(to.root, 'tmp'))).toEqual([]);
  });

  test.each([
    [['--from', 'file:a'], /required option '--to/],
    [['--from', 'file:a', '--to', 'nowhere'], /--to must be file:DIRECTORY or s3:\/\/BUCKET\/PREFIX/],
    [['--from', 'file:a', '--to', 'file:a'], /--from and --to are the same store/],
  ])('refuses %j', async (args, message) => {
    const refused = await stowage(['blobs', 'copy', ...args]);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toMatch(message);
  });

  test('a store that fails ends it', async () => {
    const broken = Object.assign(Object.create(store) as FileBlobStore, {
      write: async () => {
        throw new Error('the disk is gone');
      },
    });
    await expect(copyBlobs(store, broken)).resolves.toMatchObject({ copied: 0, present: 4 });
    const empty = Object.assign(broken, { size: async () => null });
    await expect(copyBlobs(store, empty)).rejects.toThrow('the disk is gone');
  });

  describeWithS3('with S3', () => {
    let s3: S3Server;
    beforeAll(async () => {
      s3 = await startS3Server();
    });
    afterAll(() => s3.stop());

    // A connection that is not let go of would keep a command for a minute.
    test('there and back, and again', { timeout: 30_000 }, async () => {
      const env = s3.environment();
      const there = await copy(`file:${store.root}`, 's3://stowage/moved', env);
      expect([there.status, JSON.parse(there.stdout)]).toEqual([
        0,
        { copied: 4, bytes: 9 * MIB + 300_005, present: 0, damaged: [] },
      ]);
      const again = await copy(`file:${store.root}`, 's3://stowage/moved', env);
      expect(JSON.parse(again.stdout)).toEqual({ copied: 0, bytes: 0, present: 4, damaged: [] });
      const back = new FileBlobStore(join(directory, 'back'));
      expect((await copy('s3://stowage/moved', `file:${back.root}`, env)).status).toBe(0);
      expect(await digestsIn(back)).toEqual(all);
      expect(await digestsIn(new S3BlobStore(s3.location('moved')))).toEqual(all);
    });

    test('goes on where it was broken off', async () => {
      for (let index = 0; index < 40; index++) await store.write(randomBytes(MIB));
      const args = ['blobs', 'copy', '--from', `file:${store.root}`, '--to', 's3://stowage/resumed'];
      const command = new StowageCommand(args, { env: s3.environment('resumed') });
      const target = new S3BlobStore(s3.location('resumed'));
      await expect.poll(async () => (await digestsIn(target)).length, { timeout: 30_000 }).toBeGreaterThan(2);
      await command.end('SIGKILL');
      const rest = await copy(`file:${store.root}`, 's3://stowage/resumed', s3.environment('resumed'));
      expect(rest.status).toBe(0);
      expect(JSON.parse(rest.stdout).present).toBeGreaterThan(2);
      expect(await digestsIn(target)).toEqual(await digestsIn(store));
    });

    test('a server that is not there is told of', async () => {
      const env = { ...s3.environment(), STOWAGE_S3_ENDPOINT: 'http://127.0.0.1:9' };
      const refused = await copy(`file:${store.root}`, 's3://stowage/moved', env);
      expect(refused.status).not.toBe(0);
      expect(refused.stderr).toMatch(/^error: The blob store does not do what it is asked for: ECONNREFUSED/);
      expect(refused.stderr).toMatch(/\nhint: Look at the S3 server, and at STOWAGE_BLOB_STORE/);
    });
  });
});
