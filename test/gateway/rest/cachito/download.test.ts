import { createHash } from 'node:crypto';
import { chmod, readFile, unlink, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findRequest } from '../../../../src/domain/database/sql/bundle-request-rows.ts';
import { type BundleRow, findBundle } from '../../../../src/domain/database/sql/find-bundle.ts';
import { BEGUN, storeRequest } from '../../../support/cachito-requests.ts';
import { TestGateway } from '../../../support/gateway.ts';
import { TestRepository } from '../../../support/git-repository.ts';

let gateway: TestGateway;
let number: number;
let bundle: BundleRow;
let repository: TestRepository;
let finishedAt: Date;
let archive: Buffer;

const get = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> =>
  fetch(`${gateway.url}/api/v1${path}`, { headers, method });
const download = (headers: Record<string, string> = {}, method = 'GET'): Promise<Response> =>
  get(`/requests/${number}/download`, headers, method);
const bytesOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());
const answerOf = async (response: Response): Promise<[number, string]> => [
  response.status,
  await response.text(),
];
const error = (text: string): string => `${JSON.stringify({ error: text })}\n`;
const NOT_FOUND = error('The requested resource was not found');

async function submit(): Promise<number> {
  const response = await fetch(`${gateway.url}/api/v1/requests`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ repo: repository.path, ref: repository.head, pkg_managers: [] }),
  });
  return ((await response.json()) as { id: number }).id;
}

beforeAll(async () => {
  gateway = await TestGateway.start({
    worker: true,
    environment: { STOWAGE_CACHITO_LOGIN_DISABLED: 'true' },
  });
  repository = new TestRepository({ 'README.md': 'An application.\n', 'b.txt': 'b'.repeat(10_000) });
  number = await submit();
  await gateway.stack.untilFinal(number);
  const request = (await findRequest(gateway.stack.database.sql, number))!;
  expect([request.state, request.stateReason]).toEqual(['complete', 'Completed successfully']);
  finishedAt = request.finishedAt!;
  bundle = (await findBundle(gateway.stack.database.sql, request.bundleDigest!))!;
  archive = await bytesOf(await download());
});
afterAll(async () => {
  await gateway?.close();
});

const headersOf = (response: Response): Record<string, string> => {
  const {
    date: _date,
    connection: _connection,
    'keep-alive': _keep,
    'x-request-id': _id,
    ...rest
  } = Object.fromEntries(response.headers);
  return rest;
};

describe('GET /requests/{id}/download', () => {
  const digest = (): string => `sha-256=${createHash('sha256').update(archive).digest('base64')}`;
  const etag = (): string => `"${bundle.archiveDigest}"`;

  test.each(['GET', 'HEAD'])('%s: headers that clients compare', async (method) => {
    const response = await download({}, method);
    expect(response.status).toBe(200);
    expect(headersOf(response)).toMatchObject({
      'accept-ranges': 'bytes',
      'cache-control': 'no-cache',
      'content-disposition': `attachment; filename=cachito-${number}.tar.gz`,
      'content-length': String(archive.length),
      'content-type': 'application/gzip',
      digest: digest(),
      etag: etag(),
      'last-modified': finishedAt.toUTCString(),
    });
    expect(await bytesOf(response)).toEqual(method === 'GET' ? archive : Buffer.alloc(0));
  });

  test('a range; the digest stays that of the whole', async () => {
    const response = await download({ range: 'bytes=10-99' });
    expect(response.status).toBe(206);
    expect(headersOf(response)).toMatchObject({
      'content-range': `bytes 10-99/${archive.length}`,
      'content-length': '90',
      digest: digest(),
    });
    expect(await bytesOf(response)).toEqual(archive.subarray(10, 100));
  });

  test('what the client has already, or cannot get', async () => {
    expect((await download({ 'if-none-match': etag() })).status).toBe(304);
    expect((await download({ 'if-modified-since': finishedAt.toUTCString() })).status).toBe(304);
    expect(await answerOf(await download({ 'if-match': '"x"' }))).toEqual([
      412,
      error(`The file has the entity tag ${etag()}`),
    ]);
    const beyond = await download({ range: `bytes=${archive.length}-` });
    expect(beyond.headers.get('content-range')).toBe(`bytes */${archive.length}`);
    expect(await answerOf(beyond)).toEqual([416, error(`The file has ${archive.length} bytes`)]);
  });

  const UNFINISHED = 'The request must be in the "complete" state before downloading the archive';
  test.each<[string, [string, string, string][]]>([
    ['in progress', [BEGUN]],
    ['failed', [BEGUN, ['failed', 'No.', '2021-07-09T00:00:00Z']]],
    ['stale', [BEGUN, ['stale', 'The request has expired', '2021-07-09T00:00:00Z']]],
  ])('%s', async (_name, states) => {
    const other = await storeRequest(gateway.stack.database.sql, { states });
    expect(await answerOf(await get(`/requests/${other}/download`))).toEqual([400, error(UNFINISHED)]);
  });

  test('unknown', async () => {
    expect(await answerOf(await get('/requests/99999/download'))).toEqual([404, NOT_FOUND]);
  });
});

describe('GET /requests/{id}/sbom', () => {
  test.each([
    ['', 'application/vnd.cyclonedx+json; version=1.6', 'bomFormat'],
    ['?format=cyclonedx-1.6', 'application/vnd.cyclonedx+json; version=1.6', 'bomFormat'],
    ['?format=spdx-2.3', 'application/spdx+json', 'spdxVersion'],
  ])('%s', async (query, type, key) => {
    const response = await get(`/requests/${number}/sbom${query}`);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, type]);
    expect(await response.json()).toHaveProperty(key);
  });

  test('errors', async () => {
    expect(await answerOf(await get(`/requests/${number}/sbom?format=x`))).toEqual([
      400,
      error('"x" is not a format: it must be one of cyclonedx-1.6, spdx-2.3'),
    ]);
    expect(await answerOf(await get('/requests/99999/sbom'))).toEqual([404, NOT_FOUND]);
    const running = await storeRequest(gateway.stack.database.sql, { states: [BEGUN] });
    expect(await answerOf(await get(`/requests/${running}/sbom`))).toEqual([
      400,
      error(`The bundle request ${running} is not complete: it is in_progress (The request was initiated)`),
    ]);
  });
});

describe('GET /requests/{id}/logs', () => {
  test('lines as Cachito writes them', async () => {
    const response = await get(`/requests/${number}/logs`);
    expect([response.status, response.headers.get('content-type')]).toEqual([
      200,
      'text/plain; charset=utf-8',
    ]);
    const lines = (await response.text()).trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) {
      expect(line).toMatch(
        /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} stowage\.\S+ (DEBUG|INFO|WARNING|ERROR) [^\s.]+\.[^\s.]+\] \S/,
      );
    }
    const stored = await storeRequest(gateway.stack.database.sql, { packages: [], logLines: 2 });
    expect(await (await get(`/requests/${stored}/logs`)).text()).toBe(
      '[2021-07-07 18:02:35,123 stowage.resolve-packages.npm INFO resolve-packages.npm] line 1\n' +
        '[2021-07-07 18:02:35,123 stowage.resolve-packages.npm INFO resolve-packages.npm] line 2\n',
    );
  });

  const expired: [string, string, string] = ['stale', 'The request has expired', '2021-07-09T00:00:00Z'];
  test.each<[string, [string, string, string][], number | undefined, number, (id: number) => string]>([
    ['in progress, none yet', [BEGUN], undefined, 200, () => ''],
    ['failed, missing', [BEGUN, ['failed', 'No.', '2021-07-09T00:00:00Z']], undefined, 404, () => NOT_FOUND],
    [
      'complete, missing',
      [BEGUN, ['complete', 'ok', '2021-07-09T00:00:00Z']],
      undefined,
      404,
      () => NOT_FOUND,
    ],
    [
      'stale, missing',
      [BEGUN, expired],
      undefined,
      410,
      (id) => error(`The logs for the Cachito request ${id} no longer exist`),
    ],
    [
      'stale, emptied',
      [BEGUN, expired],
      0,
      410,
      (id) => error(`The logs for the Cachito request ${id} no longer exist`),
    ],
    [
      'stale, present',
      [BEGUN, expired],
      1,
      200,
      () => '[2021-07-07 18:02:35,123 stowage.resolve-packages.npm INFO resolve-packages.npm] line 1\n',
    ],
  ])('%s', async (_name, states, logLines, status, text) => {
    const id = await storeRequest(gateway.stack.database.sql, {
      states,
      ...(logLines !== undefined && { logLines }),
    });
    expect(await answerOf(await get(`/requests/${id}/logs`))).toEqual([status, text(id)]);
  });

  test('unknown', async () => {
    expect(await answerOf(await get('/requests/99999/logs'))).toEqual([404, NOT_FOUND]);
  });
});

describe('Damage', () => {
  const GENERIC = error(
    'The server encountered an internal error and was unable to complete your request. Either the server is ' +
      'overloaded or there is an error in the application.',
  );

  test('a complete request without an archive', async () => {
    const lost = await storeRequest(gateway.stack.database.sql, { packages: null });
    expect(await answerOf(await get(`/requests/${lost}/download`))).toEqual([500, GENERIC]);
  });

  test('a changed part: broken off, then told; a missing one: told at once', async () => {
    const path = gateway.stack.blobs.localPath(bundle.sourceMemberDigest);
    const bytes = await readFile(path);
    bytes[20]! ^= 1;
    await chmod(path, 0o644);
    await writeFile(path, bytes);
    await expect(download().then(bytesOf)).rejects.toThrow(TypeError);
    expect(await answerOf(await download())).toEqual([
      500,
      error(`Checksum of bundle archive ${number}.tar.gz has changed.`),
    ]);

    await gateway.stack.database.sql.query('update bundles set damaged_at = null');
    await unlink(path);
    expect(await answerOf(await download())).toEqual([500, GENERIC]);
  });

  test.each<[string, (path: string) => Promise<void>]>([
    ['changed', (path) => writeFile(path, Buffer.alloc(10))],
    ['missing', unlink],
  ])('a part that is %s is made again for the next request', async (_title, damage) => {
    const { database, blobs } = gateway.stack;
    const path = blobs.localPath(bundle.sourceMemberDigest)!;
    await chmod(path, 0o644).catch(() => undefined);
    await damage(path).catch(() => undefined);
    await database.sql.query('update bundles set damaged_at = now()');
    expect(await answerOf(await download())).toEqual([
      500,
      error(`Checksum of bundle archive ${number}.tar.gz has changed.`),
    ]);
    const next = await submit();
    await gateway.stack.untilFinal(next);
    for (const one of [next, number]) {
      expect(await bytesOf(await get(`/requests/${one}/download`))).toEqual(archive);
    }
  });
});
