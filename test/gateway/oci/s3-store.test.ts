import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { collectGarbage } from '../../../src/domain/garbage/collect-garbage.ts';
import { GRACE } from '../../../src/domain/garbage/garbage.ts';
import type { Digest } from '../../../src/domain/storage/blob-store.ts';
import { S3BlobStore } from '../../../src/domain/storage/s3-blob-store.ts';
import { RegistryStack, sha256, sha512 } from '../../support/registry-stack.ts';
import { describeWithS3, type S3Server, startS3Server } from '../../support/s3-server.ts';
import { StowageCommand } from '../../support/stowage-command.ts';

const NAME = 'apps/images/stored';
const MIB = 1024 * 1024;

/** Issue 7: gateways that share a database and an S3 server, and no disk. */
describeWithS3('a registry on S3', { timeout: 120_000 }, () => {
  let s3: S3Server;
  let stack: RegistryStack;
  let directory: string;
  let blobs: S3BlobStore;
  /** Two of this process, with an own client each. */
  let urls: string[];
  const commands: StowageCommand[] = [];

  beforeAll(async () => {
    s3 = await startS3Server();
    directory = await mkdtemp(join(tmpdir(), 'stowage-s3-gateways-'));
    stack = await RegistryStack.start();
    blobs = new S3BlobStore(s3.location());
    urls = [];
    for (const name of ['one', 'two']) {
      const environment = { ...s3.environment(), STOWAGE_DATA_DIR: join(directory, name) };
      const gateway = await stack.addGateway(environment, new S3BlobStore(s3.location()));
      urls.push(gateway.url);
    }
  });
  afterEach(async () => {
    for (const command of commands.splice(0)) await command.end('SIGKILL');
  });
  afterAll(async () => {
    await stack.close();
    await s3.stop();
    await rm(directory, { recursive: true, force: true });
  });

  /** A gateway process of its own. */
  async function startProcess(): Promise<{ command: StowageCommand; url: string }> {
    const env = {
      ...s3.environment(),
      STOWAGE_DATA_DIR: join(directory, 'process'),
      STOWAGE_PORT: '0',
      DATABASE_URL: stack.database.url,
    };
    const command = new StowageCommand(['gateway'], { env });
    commands.push(command);
    const [, url] = await command.until(/ready on (http:\S+)/);
    return { command, url: url! };
  }

  async function begin(url = urls[0]!): Promise<string> {
    const begun = await stack.call('POST', `/v2/${NAME}/blobs/uploads/`, { url });
    expect(begun.status).toBe(202);
    return begun.headers.get('location')!;
  }

  async function received(location: string, url: string): Promise<number> {
    const answer = await stack.call('GET', location, { url });
    expect(answer.status).toBe(204);
    return Number(answer.headers.get('range')!.slice(2)) + 1;
  }

  /** Nothing but blobs: no part, no segment, no temporary object. */
  const leftovers = async (): Promise<string[]> =>
    (await s3.objects()).filter((key) => !key.startsWith('blobs/sha256/') && key !== 'blobs/check');

  test('an image that is pushed to one is pulled from the other', async () => {
    const layer = randomBytes(9 * MIB);
    const pushed = await stack.call('POST', `/v2/${NAME}/blobs/uploads/?digest=${sha256(layer)}`, {
      url: urls[0]!,
      body: layer,
    });
    expect(pushed.status).toBe(201);
    const small = await stack.call('POST', `/v2/${NAME}/blobs/uploads/?digest=${sha256('small')}`, {
      url: urls[0]!,
      body: 'small',
    });
    expect(small.status).toBe(201);
    const read = await stack.call('GET', `/v2/${NAME}/blobs/${sha256(layer)}`, { url: urls[1]! });
    expect(read.body.equals(layer)).toBe(true);
    const part = await stack.call('GET', `/v2/${NAME}/blobs/${sha256(layer)}`, {
      url: urls[1]!,
      headers: { range: 'bytes=8388600-8388700' },
    });
    expect([part.status, part.body.equals(layer.subarray(8388600, 8388701))]).toEqual([206, true]);
    const tiny = await stack.call('GET', `/v2/${NAME}/blobs/${sha256('small')}`, { url: urls[1]! });
    expect(tiny.body.toString()).toBe('small');
    expect(await leftovers()).toEqual([]);
  });

  test.each([
    ['sha256', sha256],
    ['sha512', sha512],
  ])('chunks go to one gateway and the other by turns: %s', async (_algorithm, addressOf) => {
    const chunks = [6 * MIB, 1000, 3 * MIB, 12 * MIB, 1].map((length) => randomBytes(length));
    const bytes = Buffer.concat(chunks);
    const location = await begin();
    let offset = 0;
    for (const [index, chunk] of chunks.entries()) {
      const url = urls[index % 2]!;
      const headers = { 'content-range': `${offset}-${offset + chunk.length - 1}` };
      expect((await stack.call('PATCH', location, { url, body: chunk, headers })).status).toBe(202);
      offset += chunk.length;
      expect(await received(location, urls[(index + 1) % 2]!)).toBe(offset);
    }
    const done = await stack.call('PUT', `${location}?digest=${addressOf(bytes)}`, { url: urls[1]! });
    expect(done.status).toBe(201);
    const read = await stack.call('GET', `/v2/${NAME}/blobs/${addressOf(bytes)}`, { url: urls[0]! });
    expect(read.body.equals(bytes)).toBe(true);
    expect(await leftovers()).toEqual([]);
  });

  test('a digest that is wrong leaves nothing', async () => {
    const bytes = randomBytes(9 * MIB);
    const refused = await stack.call('POST', `/v2/${NAME}/blobs/uploads/?digest=${sha256('other')}`, {
      url: urls[0]!,
      body: bytes,
    });
    expect([refused.status, refused.codes()]).toEqual([400, ['DIGEST_INVALID']]);
    expect(await blobs.size(sha256(bytes) as Digest)).toBeNull();
    expect(await leftovers()).toEqual([]);
  });

  test('a connection that breaks loses nothing that has come', async () => {
    const bytes = randomBytes(20 * MIB);
    const location = await begin();
    const sent = request(new URL(location, urls[0]), {
      method: 'PATCH',
      headers: { ...stack.authorization('ada'), 'content-length': bytes.length },
    });
    sent.on('error', () => undefined);
    sent.write(bytes.subarray(0, 17 * MIB));
    await expect.poll(() => received(location, urls[0]!), { timeout: 20_000 }).toBeGreaterThan(16 * MIB);
    sent.destroy();
    let offset = 0;
    await expect
      .poll(
        async () => {
          offset = await received(location, urls[1]!);
          const rest = bytes.subarray(offset);
          const headers = { 'content-range': `${offset}-${bytes.length - 1}` };
          return (await stack.call('PATCH', location, { url: urls[1]!, body: rest, headers })).status;
        },
        { timeout: 20_000 },
      )
      .toBe(202);
    expect(offset).toBeGreaterThan(16 * MIB);
    const done = await stack.call('PUT', `${location}?digest=${sha256(bytes)}`, { url: urls[1]! });
    expect(done.status).toBe(201);
    expect(await leftovers()).toEqual([]);
  });

  test('a gateway that is killed in the middle: another one goes on from what was acknowledged', async () => {
    const bytes = randomBytes(40 * MIB);
    const { command, url } = await startProcess();
    const location = await begin(url);
    const first = bytes.subarray(0, 1000);
    expect((await stack.call('PATCH', location, { url, body: first })).status).toBe(202);
    const sent = request(new URL(location, url), {
      method: 'PATCH',
      headers: { ...stack.authorization('ada'), 'content-length': bytes.length - 1000 },
    });
    sent.on('error', () => undefined);
    sent.write(bytes.subarray(1000, 35 * MIB));
    await expect
      .poll(async () => (await s3.objects()).filter((key) => key.startsWith('blobs/uploads/')).length, {
        timeout: 30_000,
      })
      .toBeGreaterThan(3);
    await command.end('SIGKILL');
    sent.destroy();

    let offset = 0;
    await expect
      .poll(
        async () => {
          offset = await received(location, urls[0]!);
          const headers = { 'content-range': `${offset}-${bytes.length - 1}` };
          const rest = bytes.subarray(offset);
          return (await stack.call('PATCH', location, { url: urls[0]!, body: rest, headers })).status;
        },
        { timeout: 60_000, interval: 500 },
      )
      .toBe(202);
    expect(offset).toBeGreaterThanOrEqual(1000);
    const done = await stack.call('PUT', `${location}?digest=${sha256(bytes)}`, { url: urls[1]! });
    expect(done.status).toBe(201);
    const read = await stack.call('GET', `/v2/${NAME}/blobs/${sha256(bytes)}`, { url: urls[0]! });
    expect(read.body.equals(bytes)).toBe(true);
    expect(await leftovers()).toEqual([]);
  });

  test('while S3 is away readiness says so and nothing is taken; then it goes on where it was', async () => {
    const bytes = randomBytes(12 * MIB);
    const location = await begin();
    const half = bytes.subarray(0, 6 * MIB);
    expect((await stack.call('PATCH', location, { url: urls[0]!, body: half })).status).toBe(202);
    expect((await fetch(`${urls[0]}/readyz`)).status).toBe(200);

    await s3.kill();
    const readiness = await fetch(`${urls[0]}/readyz`);
    expect(readiness.status).toBe(503);
    expect(await readiness.json()).toMatchObject({
      checks: { database: { ok: true }, blobStore: { ok: false } },
    });
    for (const [method, path, body] of [
      ['PATCH', location, bytes.subarray(6 * MIB)],
      ['POST', `/v2/${NAME}/blobs/uploads/?digest=${sha256('new')}`, 'new'],
      ['GET', `/v2/${NAME}/blobs/${sha256('small')}`, undefined],
    ] as const) {
      const answer = await stack.call(method, path, { url: urls[0]!, ...(body !== undefined && { body }) });
      expect([method, answer.status, answer.codes()]).toEqual([method, 503, ['UNKNOWN']]);
      expect(answer.headers.get('retry-after')).toBe('1');
    }

    await s3.start();
    expect((await fetch(`${urls[0]}/readyz`)).status).toBe(200);
    expect(await received(location, urls[1]!)).toBe(half.length);
    const rest = await stack.call('PUT', `${location}?digest=${sha256(bytes)}`, {
      url: urls[1]!,
      body: bytes.subarray(half.length),
    });
    expect(rest.status).toBe(201);
    const read = await stack.call('GET', `/v2/${NAME}/blobs/${sha256(bytes)}`, { url: urls[0]! });
    expect(read.body.equals(bytes)).toBe(true);
    expect(await leftovers()).toEqual([]);
  });

  test('what nobody goes on with is collected', async () => {
    const location = await begin();
    expect((await stack.call('PATCH', location, { url: urls[0]!, body: randomBytes(9 * MIB) })).status).toBe(
      202,
    );
    expect((await leftovers()).length).toBe(2);
    const { sql } = stack.database;
    await sql.query(`update upload_sessions set active_at = now() - interval '2 days'`);
    await collectGarbage({ database: stack.database, blobs, grace: GRACE, strayFiles: true });
    expect(await leftovers()).toEqual([]);
    expect((await stack.call('GET', location, { url: urls[0]! })).status).toBe(404);
  });

  test('large blobs come from S3 itself where the operator wants that', async () => {
    const environment = { ...s3.environment(), STOWAGE_S3_REDIRECTS: 'true' };
    const { url } = await stack.addGateway(environment, new S3BlobStore(s3.location()));
    const bytes = randomBytes(MIB);
    const path = `/v2/${NAME}/blobs/${sha256(bytes)}`;
    await stack.call('POST', `/v2/${NAME}/blobs/uploads/?digest=${sha256(bytes)}`, { url, body: bytes });
    const answer = await fetch(new URL(path, url), {
      redirect: 'manual',
      headers: stack.authorization('ada'),
    });
    expect([answer.status, answer.headers.get('docker-content-digest')]).toEqual([307, sha256(bytes)]);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const location = answer.headers.get('location')!;
    expect(location.startsWith(`${s3.url}/${s3.bucket}/blobs/sha256/`)).toBe(true);
    const given = await fetch(location, { headers: { range: 'bytes=10-19' } });
    expect(given.status).toBe(206);
    expect(Buffer.from(await given.arrayBuffer()).equals(bytes.subarray(10, 20))).toBe(true);
    expect((await fetch(location.replace(/Expires=\d+/, 'Expires=9999'))).status).toBe(403);
    expect((await stack.call('GET', path, { url })).body.equals(bytes)).toBe(true);
    expect((await stack.call('HEAD', path, { url })).headers.get('content-length')).toBe(String(MIB));
    expect((await stack.call('GET', path, { url, as: 'eve' })).status).not.toBe(307);
    const small = await fetch(new URL(`/v2/${NAME}/blobs/${sha256('small')}`, url), {
      redirect: 'manual',
      headers: stack.authorization('ada'),
    });
    expect(small.status).toBe(200);
  });

  test('no gateway has put a blob on its own disk', async () => {
    const names = await readdir(directory, { recursive: true });
    expect(names.filter((name) => /blobs|[0-9a-f]{64}/.test(name))).toEqual([]);
  });
});
