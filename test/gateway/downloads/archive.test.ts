import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, readdir, readFile, readlink, unlink, writeFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BundleRequest } from '../../../src/domain/bundle-requests/bundle-request.ts';
import { readArchive } from '../../../src/domain/bundles/archive-reader.ts';
import { openArchive } from '../../../src/domain/bundles/open-archive.ts';
import { type BundleRow, findBundle } from '../../../src/domain/database/sql/find-bundle.ts';
import { addUser } from '../../../src/domain/identity/accounts.ts';
import { addToken } from '../../../src/domain/identity/tokens.ts';
import { type DownloadServer, startDownloadServer } from '../../support/download-server.ts';
import { TestRepository } from '../../support/git-repository.ts';
import { lockFileOf, manyPackages, type NpmRegistry, startNpmRegistry } from '../../support/npm-registry.ts';
import { startWorkerStack, type WorkerStack } from '../../support/worker-stack.ts';

/** Text that does not compress: the tarball is larger than a stored block of gzip. */
function noise(bytes: number): string {
  let text = '';
  for (let index = 0; text.length < bytes; index += 1) {
    text += createHash('sha512').update(`noise ${index}`).digest('base64');
  }
  return text;
}

describe('The archive of a bundle', () => {
  let registry: NpmRegistry;
  let stack: WorkerStack;
  let server: DownloadServer;
  let request: BundleRequest;
  let bundle: BundleRow;
  let url: string;
  let authorization: string;
  let archive: Buffer;
  let etag: string;

  const get = (headers: Record<string, string> = {}, method = 'GET'): Promise<Response> =>
    fetch(url, { method, headers: { authorization, ...headers } });
  const bytesOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());

  beforeAll(async () => {
    registry = await startNpmRegistry([
      ...manyPackages(10),
      { name: 'large', version: '1.0.0', files: { 'noise.txt': noise(300_000) } },
    ]);
    stack = await startWorkerStack({ STOWAGE_NPM_REGISTRY: registry.url });
    const repository = new TestRepository({
      'package.json': JSON.stringify({ name: 'app', version: '1.0.0' }),
      'package-lock.json': lockFileOf(registry, null),
      'README.md': 'An application.\n',
    });
    request = await stack.run({ repository: repository.path, ref: 'main' });
    expect(request).toMatchObject({ state: 'complete' });
    bundle = (await findBundle(stack.database.sql, request.bundleDigest!))!;
    await addUser(stack.database, { name: 'ada' });
    const { secret } = await addToken(stack.database, { userName: 'ada', name: 'test', scopes: ['read'] });
    authorization = `Bearer ${secret}`;
    server = await startDownloadServer(stack);
    url = `${server.url}/bundle-requests/${request.id}/archive`;
    etag = `"${bundle.archiveDigest}"`;
    archive = await bytesOf(await get());
  });
  afterAll(async () => {
    await server?.close();
    await stack?.close();
    await registry?.close();
  });

  const digestHeaders = () => {
    const base64 = Buffer.from(bundle.archiveDigest.slice(7), 'hex').toString('base64');
    return { digest: `sha-256=${base64}`, 'repr-digest': `sha-256=:${base64}:` };
  };
  const wholeHeaders = () => ({
    'accept-ranges': 'bytes',
    'cache-control': 'private, no-cache',
    'content-disposition': `attachment; filename="stowage-${request.id}.tar.gz"`,
    'content-length': String(bundle.archiveSize),
    'content-security-policy': "default-src 'none'; sandbox",
    'content-type': 'application/gzip',
    etag,
    ...digestHeaders(),
  });
  /** Without those of the connection. */
  const headersOf = (response: Response) => {
    const { connection, date, 'keep-alive': _keepAlive, ...headers } = Object.fromEntries(response.headers);
    return headers;
  };

  test('comes whole, with its digests', async () => {
    const response = await get();
    expect(response.status).toBe(200);
    expect(headersOf(response)).toEqual(wholeHeaders());
    const bytes = await bytesOf(response);
    expect(bytes.length).toBe(bundle.archiveSize);
    expect(`sha256:${createHash('sha256').update(bytes).digest('hex')}`).toBe(bundle.archiveDigest);
    const tar = gunzipSync(bytes);
    expect(`sha256:${createHash('sha256').update(tar).digest('hex')}`).toBe(bundle.tarDigest);
  });

  test('HEAD says the same, without a body and whatever the range', async () => {
    for (const headers of [{}, { range: 'bytes=0-9' }, { range: 'bytes=99999999-' }]) {
      const response = await get(headers, 'HEAD');
      expect(response.status).toBe(200);
      expect(headersOf(response)).toEqual(wholeHeaders());
      expect((await bytesOf(response)).length).toBe(0);
    }
  });

  test('every range at an odd boundary is exact', async () => {
    const { size } = (
      await stack.database.sql.query<{ size: number }>('select size from blobs where digest = $1', [
        bundle.sourceMemberDigest,
      ])
    )[0]!;
    // Around the end of the source member, around the starts of members and of stored blocks.
    const starts = new Set([0, 1, size - 1, size, size + 1, archive.length - 1]);
    for (
      let at = archive.indexOf('1f8b08', size, 'hex');
      at >= 0;
      at = archive.indexOf('1f8b08', at + 1, 'hex')
    ) {
      for (const near of [at - 9, at - 1, at, at + 1, at + 10, at + 15]) starts.add(near);
    }
    for (let at = size; at < archive.length; at += 7_919) starts.add(at);
    for (const start of starts) {
      for (const length of [1, 517, 65_541]) {
        const end = Math.min(start + length, archive.length);
        const response = await get({ range: `bytes=${start}-${start + length - 1}` });
        const part = await bytesOf(response);
        expect(response.status).toBe(206);
        expect(response.headers.get('content-range')).toBe(`bytes ${start}-${end - 1}/${archive.length}`);
        expect(part.equals(archive.subarray(start, end)), `${start}-${end}`).toBe(true);
      }
    }
  });

  test('a range has all headers of the whole but its own length', async () => {
    const response = await get({ range: 'bytes=3-12' });
    expect(headersOf(response)).toEqual({
      ...wholeHeaders(),
      'content-length': '10',
      'content-range': `bytes 3-12/${bundle.archiveSize}`,
    });
  });

  test('suffix and open ranges', async () => {
    const suffix = await get({ range: 'bytes=-1031' });
    expect(suffix.headers.get('content-range')).toBe(
      `bytes ${archive.length - 1031}-${archive.length - 1}/${archive.length}`,
    );
    expect((await bytesOf(suffix)).equals(archive.subarray(-1031))).toBe(true);
    const open = await get({ range: 'bytes=1000-' });
    expect(open.status).toBe(206);
    expect((await bytesOf(open)).equals(archive.subarray(1000))).toBe(true);
    const everything = await get({ range: 'bytes=-999999999999999999999' });
    expect(everything.status).toBe(206);
    expect((await bytesOf(everything)).equals(archive)).toBe(true);
  });

  test('several ranges, other units and nonsense are answered by the whole', async () => {
    for (const range of [
      'bytes=0-1,5-6',
      'bytes=5-2',
      'bytes=',
      'bytes=-',
      'bytes=a-b',
      'lines=1-2',
      '0-1',
    ]) {
      const response = await get({ range });
      expect(response.status, range).toBe(200);
      expect((await bytesOf(response)).equals(archive)).toBe(true);
    }
  });

  test('a range beyond the end is refused with the size', async () => {
    for (const range of [`bytes=${archive.length}-`, 'bytes=-0', 'bytes=9999999999999999999999-']) {
      const response = await get({ range });
      expect(response.status, range).toBe(416);
      expect(response.headers.get('content-range')).toBe(`bytes */${archive.length}`);
      expect(await response.json()).toEqual({
        error: {
          code: 'range-not-satisfiable',
          message: `The file has ${archive.length} bytes`,
          hint: null,
          details: { size: archive.length },
        },
      });
    }
  });

  test('If-Range gives the range only for the very same archive', async () => {
    const same = await get({ range: 'bytes=0-4', 'if-range': etag });
    expect(same.status).toBe(206);
    await same.body?.cancel();
    for (const other of ['"other"', `W/${etag}`, 'Sat, 21 Nov 2026 07:00:00 GMT', bundle.archiveDigest]) {
      const response = await get({ range: 'bytes=0-4', 'if-range': other });
      expect(response.status, other).toBe(200);
      await response.body?.cancel();
    }
  });

  test('If-None-Match and If-Match', async () => {
    const statuses: [Record<string, string>, number][] = [
      [{ 'if-none-match': etag }, 304],
      [{ 'if-none-match': `W/${etag}` }, 304],
      [{ 'if-none-match': `"one", W/"two" ,${etag}` }, 304],
      [{ 'if-none-match': '*' }, 304],
      [{ 'if-none-match': etag, range: 'bytes=0-1' }, 304],
      [{ 'if-none-match': '"one"' }, 200],
      [{ 'if-none-match': bundle.archiveDigest }, 200],
      [{ 'if-match': etag }, 200],
      [{ 'if-match': `"one", ${etag}` }, 200],
      [{ 'if-match': '*' }, 200],
      [{ 'if-match': `W/${etag}` }, 412],
      [{ 'if-match': '"one"' }, 412],
      [{ 'if-match': '"one"', 'if-none-match': etag }, 412],
      [{ 'if-match': etag, 'if-none-match': etag }, 304],
    ];
    for (const [headers, status] of statuses) {
      for (const method of ['GET', 'HEAD']) {
        const response = await get(headers, method);
        expect([method, headers, response.status]).toEqual([method, headers, status]);
        await response.body?.cancel();
      }
    }
    const response = await get({ 'if-none-match': etag });
    expect(headersOf(response)).toEqual({
      'accept-ranges': 'bytes',
      'cache-control': 'private, no-cache',
      etag,
    });
  });

  test('readings that are given up leave no file open', async () => {
    const layout = await openArchive(stack.database.sql, stack.blobs, bundle);
    const openBlobs = async (): Promise<string[]> => {
      const links = (await readdir('/proc/self/fd')).map((name) => readlink(`/proc/self/fd/${name}`));
      const paths = await Promise.all(links.map((link) => link.catch(() => '')));
      return paths.filter((path) => path.startsWith(stack.blobs.root));
    };
    for (const start of [0, 5_000, 100_000, archive.length - 100_000]) {
      for (const readsFirst of [true, false]) {
        const stream = readArchive(stack.blobs, layout, { start, end: archive.length });
        if (readsFirst) await once(stream, 'readable');
        stream.destroy();
        await once(stream, 'close');
      }
    }
    await expect.poll(openBlobs).toEqual([]);
  });

  test('many readers of odd ranges at once get what they asked for', async () => {
    const parts = await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const [start, end] = [index * 6_007, index * 9_001 + 40_000];
        const bytes = await bytesOf(await get({ range: `bytes=${start}-${end}`, 'if-range': etag }));
        return bytes.equals(archive.subarray(start, end + 1));
      }),
    );
    expect(parts).toEqual(parts.map(() => true));
  });

  test('an archive that is found damaged is never completed, and not served any more', async () => {
    const [victim] = await stack.database.sql.query<{ digest: `sha256:${string}` }>(
      `select digest from bundle_blobs join blobs using (digest) where manifest_digest = $1 order by size desc limit 1`,
      [bundle.manifestDigest],
    );
    const path = stack.blobs.localPath(victim!.digest);
    const bytes = await readFile(path);
    bytes[1000]! ^= 1;
    await chmod(path, 0o644);
    await writeFile(path, bytes);

    await expect(get().then(bytesOf)).rejects.toThrow(TypeError);
    const after = await get();
    expect(after.status).toBe(500);
    expect(await after.json()).toEqual({
      error: {
        code: 'damaged',
        message: `The bundle of request ${request.id} is damaged and is not served any more`,
        hint: 'A file of the blob store was changed or is missing: ask the operator to check the store.',
        details: {},
      },
    });

    await stack.database.sql.query('update bundles set damaged_at = null');
    await unlink(path);
    await unlink(stack.blobs.localPath(bundle.sourceMemberDigest));
    const missing = await get();
    expect(missing.status).toBe(500);
    expect(await missing.json()).toMatchObject({ error: { code: 'damaged' } });
    expect(missing.headers.get('content-length')).not.toBe(String(bundle.archiveSize));
  });
});
