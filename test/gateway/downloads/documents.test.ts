import { createHash, generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BundleRequest } from '../../../src/domain/bundle-requests/bundle-request.ts';
import { submitRequest } from '../../../src/domain/bundle-requests/submit.ts';
import { type Envelope, Signer, verifyEnvelope } from '../../../src/domain/bundles/signing.ts';
import { findBundle } from '../../../src/domain/database/sql/find-bundle.ts';
import { addUser } from '../../../src/domain/identity/accounts.ts';
import { type Principal, SCOPES, SYSTEM } from '../../../src/domain/identity/principal.ts';
import { createProject } from '../../../src/domain/identity/projects.ts';
import { addToken } from '../../../src/domain/identity/tokens.ts';
import { compactLog } from '../../../src/domain/logs/compact-log.ts';
import { LogWriter } from '../../../src/domain/logs/log-writer.ts';
import { type DownloadServer, startDownloadServer } from '../../support/download-server.ts';
import { TestRepository } from '../../support/git-repository.ts';
import { lockFileOf, manyPackages, type NpmRegistry, startNpmRegistry } from '../../support/npm-registry.ts';
import { startWorkerStack, type WorkerStack } from '../../support/worker-stack.ts';

const DOCUMENTS = ['archive', 'manifest', 'sbom', 'content-manifest', 'provenance', 'environment'];

describe('What a bundle request offers over HTTP', () => {
  const keys = mkdtempSync(join(tmpdir(), 'stowage-given-key-'));
  const signingKey = join(keys, 'given.pem');
  let registry: NpmRegistry;
  let stack: WorkerStack;
  let server: DownloadServer;
  let complete: BundleRequest;
  let failed: BundleRequest;
  let hidden: BundleRequest;
  let waiting: BundleRequest;
  let ada: string;
  let eve: string;
  let writer: string;

  const get = (path: string, authorization: string | null = ada, method = 'GET'): Promise<Response> =>
    fetch(`${server.url}${path}`, { method, headers: authorization === null ? {} : { authorization } });
  const tokenOf = async (userName: string, scopes: string[] = ['read']): Promise<string> => {
    const { secret } = await addToken(stack.database, { userName, name: `t-${scopes.join('-')}`, scopes });
    return `Bearer ${secret}`;
  };

  beforeAll(async () => {
    registry = await startNpmRegistry(manyPackages(5));
    const { privateKey } = generateKeyPairSync('ed25519');
    writeFileSync(signingKey, privateKey.export({ type: 'pkcs8', format: 'pem' }));
    stack = await startWorkerStack({ STOWAGE_NPM_REGISTRY: registry.url, STOWAGE_SIGNING_KEY: signingKey });
    const repository = new TestRepository({
      'package.json': JSON.stringify({ name: 'app', version: '1.0.0' }),
      'package-lock.json': lockFileOf(registry, null),
    });
    complete = await stack.run({ repository: repository.path, ref: 'main' });
    failed = await stack.run({ repository: repository.path, ref: 'no-such-branch' });
    const user = await addUser(stack.database, { name: 'ada' });
    await addUser(stack.database, { name: 'eve' });
    [ada, eve, writer] = [await tokenOf('ada'), await tokenOf('eve'), await tokenOf('eve', ['write'])];
    const principal: Principal = { userId: user.id, name: 'ada', isAdmin: false, scopes: new Set(SCOPES) };
    await createProject(stack.database, principal, { name: 'secret' });
    const inProject = { repository: repository.path, ref: 'main', projectName: 'secret' };
    const { id } = await submitRequest(stack.database, stack.settings, principal, inProject);
    hidden = await stack.untilFinal(id);
    await stack.worker.stop(0);
    waiting = await submitRequest(stack.database, stack.settings, SYSTEM, { repository: repository.path });
    expect([complete.state, failed.state, hidden.state, waiting.state]).toEqual([
      'complete',
      'failed',
      'complete',
      'in_progress',
    ]);
    server = await startDownloadServer(stack);
  });
  afterAll(async () => {
    await server?.close();
    await stack?.close();
    await registry?.close();
    rmSync(keys, { recursive: true });
  });

  test.each([
    ['manifest', 'application/json; charset=utf-8', 'manifest.json', 'bundleDigest'],
    ['sbom', 'application/vnd.cyclonedx+json; version=1.6', 'cdx.json', 'cyclonedxDigest'],
    [
      'sbom?format=cyclonedx-1.6',
      'application/vnd.cyclonedx+json; version=1.6',
      'cdx.json',
      'cyclonedxDigest',
    ],
    ['sbom?format=spdx-2.3', 'application/spdx+json', 'spdx.json', 'spdxDigest'],
    ['provenance', 'application/jsonl; charset=utf-8', 'provenance.jsonl', 'provenanceDigest'],
  ] as const)('%s is the stored document', async (path, contentType, extension, key) => {
    const digest = complete[key]!;
    const response = await get(`/bundle-requests/${complete.id}/${path}`);
    const text = await response.text();
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': contentType,
      'content-length': String(Buffer.byteLength(text)),
      'content-disposition': `inline; filename="stowage-${complete.id}.${extension}"`,
      'cache-control': 'private, no-cache',
      etag: `"${digest}"`,
      'repr-digest': `sha-256=:${Buffer.from(digest.slice(7), 'hex').toString('base64')}:`,
    });
    expect(`sha256:${createHash('sha256').update(text).digest('hex')}`).toBe(digest);
    const lines = path === 'provenance' ? text.trimEnd().split('\n') : [text];
    for (const line of lines) expect(JSON.parse(line)).toBeTypeOf('object');
  });

  test('the environment, for shells and for programs', async () => {
    const script = await (await get(`/bundle-requests/${complete.id}/environment`)).text();
    const bundled = await get(`/bundle-requests/${complete.id}/manifest`);
    const { entries } = (await bundled.json()) as { entries: { path: string; digest: string }[] };
    const digest = entries.find((entry) => entry.path === 'stowage.env')!.digest;
    expect(`sha256:${createHash('sha256').update(script).digest('hex')}`).toBe(digest);
    const json = await get(`/bundle-requests/${complete.id}/environment?format=json`);
    expect(json.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(Array.isArray(await json.json())).toBe(true);
  });

  test('the content manifest names the package and all its dependencies', async () => {
    const response = await get(`/bundle-requests/${complete.id}/content-manifest`);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    const text = await response.text();
    expect(response.headers.get('etag')).toBe(`"sha256:${createHash('sha256').update(text).digest('hex')}"`);
    const { metadata, image_contents: contents } = JSON.parse(text) as {
      metadata: object;
      image_contents: { purl: string; dependencies: { purl: string }[]; sources: { purl: string }[] }[];
    };
    expect(metadata).toMatchObject({ icm_version: 1, image_layer_index: -1 });
    expect(contents).toHaveLength(1);
    expect(contents[0]!.purl).toContain('pkg:generic/fixture-application?vcs_url=');
    expect(contents[0]!.purl).toContain(complete.commit);
    const expected = registry.packages.map(
      ({ name, version }) => `pkg:npm/${name.replace('@', '%40')}@${version}`,
    );
    for (const list of [contents[0]!.dependencies, contents[0]!.sources]) {
      expect(list.map(({ purl }) => purl)).toEqual(expected.sort());
    }
  });

  test('documents have ranges and entity tags like the archive', async () => {
    for (const name of DOCUMENTS) {
      const url = `${server.url}/bundle-requests/${complete.id}/${name}`;
      const whole = await fetch(url, { headers: { authorization: ada } });
      const bytes = Buffer.from(await whole.arrayBuffer());
      const etag = whole.headers.get('etag')!;
      const ranged = await fetch(url, {
        headers: { authorization: ada, range: 'bytes=7-', 'if-range': etag },
      });
      expect(ranged.status).toBe(206);
      expect(Buffer.from(await ranged.arrayBuffer()).equals(bytes.subarray(7))).toBe(true);
      const same = await fetch(url, { headers: { authorization: ada, 'if-none-match': etag } });
      expect(same.status).toBe(304);
      const head = await fetch(url, { method: 'HEAD', headers: { authorization: ada } });
      expect(head.headers.get('content-length')).toBe(String(bytes.length));
    }
  });

  test('the provenance verifies with the published key, which was given and needs no login', async () => {
    const { keys } = (await (await get('/keys', null)).json()) as { keys: { keyid: string; pem: string }[] };
    const signer = await Signer.open('nowhere', signingKey);
    expect(existsSync(join(stack.settings.dataDir, 'keys'))).toBe(false);
    expect(keys).toEqual([{ keyid: signer.keyId, algorithm: 'ed25519', pem: signer.publicKey }]);
    const text = await (await get(`/bundle-requests/${complete.id}/provenance`)).text();
    const envelope = JSON.parse(text) as Envelope;
    expect(envelope.signatures[0]!.keyid).toBe(keys[0]!.keyid);
    const bundle = await findBundle(stack.database.sql, complete.bundleDigest!);
    expect(verifyEnvelope(envelope, keys[0]!.pem)).toMatchObject({
      subject: expect.arrayContaining([
        { name: 'bundle.tar.gz', digest: { sha256: bundle!.archiveDigest.slice(7) } },
      ]),
    });
  });

  test('a key that is half written is not published, and its path is told to nobody', async () => {
    const pem = readFileSync(signingKey, 'utf8');
    writeFileSync(signingKey, pem.slice(0, 60));
    const answer = await get('/keys', null);
    writeFileSync(signingKey, pem);
    expect(answer.status).toBe(200);
    const { keys } = (await answer.json()) as { keys: { keyid: string }[] };
    // It has signed before.
    expect(keys.map(({ keyid }) => keyid)).toEqual([(await Signer.open('nowhere', signingKey)).keyId]);
  });

  test('a request of a private project does not exist for others', async () => {
    for (const name of [...DOCUMENTS, 'log']) {
      const mine = await get(`/bundle-requests/${hidden.id}/${name}`);
      expect([name, mine.status]).toEqual([name, 200]);
      await mine.body?.cancel();
      for (const number of [hidden.id, 999_999]) {
        const theirs = await get(`/bundle-requests/${number}/${name}`, eve);
        expect([name, theirs.status]).toEqual([name, 404]);
        expect(await theirs.json()).toEqual({
          error: {
            code: 'not-found',
            message: `There is no bundle request ${number}`,
            hint: null,
            details: {},
          },
        });
      }
    }
  });

  test('who is not logged in learns nothing, nor who may not read', async () => {
    for (const number of [complete.id, hidden.id, 999_999]) {
      const anonymous = await get(`/bundle-requests/${number}/archive`, null);
      expect(anonymous.status).toBe(401);
      expect(anonymous.headers.get('www-authenticate')).toBe(
        'Basic realm="Stowage", charset="UTF-8", Bearer realm="Stowage"',
      );
      expect(await anonymous.json()).toEqual({
        error: { code: 'unauthenticated', message: 'Log in to do this', hint: null, details: {} },
      });
      const unscoped = await get(`/bundle-requests/${number}/archive`, writer);
      expect(unscoped.status).toBe(403);
      expect(await unscoped.json()).toMatchObject({ error: { code: 'forbidden' } });
    }
    expect((await get(`/bundle-requests/${complete.id}/archive`, 'Bearer stw_wrong')).status).toBe(401);
    expect((await get(`/bundle-requests/${complete.id}/archive`, 'Digest x')).status).toBe(401);
  });

  test('a request that is not complete offers nothing yet', async () => {
    for (const name of DOCUMENTS) {
      const response = await get(`/bundle-requests/${waiting.id}/${name}`);
      expect(response.status).toBe(409);
      expect(await response.json()).toEqual({
        error: {
          code: 'conflict',
          message: `The bundle request ${waiting.id} is not complete: it is in_progress (The request was initiated)`,
          hint: 'Try again when it is complete.',
          details: { number: waiting.id, state: 'in_progress', stateReason: 'The request was initiated' },
        },
      });
    }
  });

  test('a request that failed says why', async () => {
    const response = await get(`/bundle-requests/${failed.id}/archive`);
    expect(response.status).toBe(409);
    expect(await response.json()).toEqual({
      error: {
        code: 'conflict',
        message: `The bundle request ${failed.id} is not complete: it is failed (${failed.stateReason})`,
        hint: null,
        details: {
          number: failed.id,
          state: 'failed',
          stateReason: failed.stateReason,
          error: failed.error,
        },
      },
    });
  });

  test.each([
    'sbom?format=cyclonedx',
    'sbom?format=cyclonedx-1.6&format=spdx-2.3',
    'sbom?format=__proto__',
    'environment?format=toString',
    'log?after=-1',
    'log?after=x',
    'log?after=1&after=2',
    'log?after=99999999999999999999',
  ])('%s is refused', async (path) => {
    const response = await get(`/bundle-requests/${complete.id}/${path}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: 'invalid-input' } });
  });

  test.each([
    '0',
    '-1',
    '01',
    '1e3',
    '1.0',
    '0x1',
    'abc',
    '9'.repeat(16),
    '9'.repeat(90),
    '%00',
    '%F0%9F%92%A9',
    '..%2f1',
    "1'--",
  ])('the number %s is refused', async (number) => {
    const response = await get(`/bundle-requests/${number}/archive`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: 'invalid-input' } });
  });

  test('paths that do not exist, methods that are not offered', async () => {
    for (const path of ['constructor', '__proto__', 'archive/x', '']) {
      expect((await get(`/bundle-requests/${complete.id}/${path}`)).status).toBe(404);
    }
    for (const method of ['POST', 'PUT', 'DELETE']) {
      expect((await get(`/bundle-requests/${complete.id}/archive`, ada, method)).status).toBe(404);
    }
  });

  describe('the log', () => {
    const expectLog = async (path: string, expected: string[]): Promise<Response> => {
      const response = await get(path);
      const lines = (await response.text()).split('\n').slice(0, -1);
      expect(response.status).toBe(200);
      expect(lines.map((line) => line.replace(/^\S+ /, '').replace(/^(\w+) +/, '$1 '))).toEqual(expected);
      expect(lines.every((line) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /.test(line))).toBe(true);
      return response;
    };

    test('is the same before and after it is compacted', async () => {
      const { id } = complete;
      const all = await stack.log(id);
      expect(all.length).toBeGreaterThan(5);
      for (const compacted of [false, true]) {
        if (compacted)
          await compactLog(stack.database, stack.blobs, { subjectType: 'bundle-request', subjectId: id });
        const response = await expectLog(`/bundle-requests/${id}/log`, all);
        expect(Object.fromEntries(response.headers)).toMatchObject({
          'content-type': 'text/plain; charset=utf-8',
          'stowage-log-lines': String(all.length),
          'stowage-log-closed': 'true',
          'accept-ranges': 'none',
        });
        await expectLog(`/bundle-requests/${id}/log?after=3`, all.slice(3));
        await expectLog(`/bundle-requests/${id}/log?after=${all.length}`, []);
        await expectLog(`/bundle-requests/${id}/log?after=123456789`, []);
      }
      const head = await get(`/bundle-requests/${id}/log`, ada, 'HEAD');
      expect([head.status, await head.text()]).toEqual([200, '']);
    });

    test('of a running request gives what there is, over many pages, and after a part was compacted', async () => {
      const { id } = waiting;
      await expectLog(`/bundle-requests/${id}/log`, []);
      const subject = { subjectType: 'bundle-request', subjectId: id } as const;
      const log = new LogWriter(stack.database, subject, 'test');
      const expected = Array.from({ length: 3501 }, (_, index) => `info test: line ${index} – ünïcode`);
      for (const line of expected) log.info(line.slice('info test: '.length));
      await log.flush();
      const response = await expectLog(`/bundle-requests/${id}/log`, expected);
      expect(response.headers.get('stowage-log-closed')).toBe('false');
      await stack.database.sql.query('update log_streams set closed = true where subject_id = $1', [id]);
      await compactLog(stack.database, stack.blobs, subject);
      await stack.database.sql.query('update log_streams set closed = false where subject_id = $1', [id]);
      log.warn('after it');
      await log.flush();
      const all = [...expected, 'warn test: after it'];
      await expectLog(`/bundle-requests/${id}/log`, all);
      await expectLog(`/bundle-requests/${id}/log?after=1999`, all.slice(1999));
      await expectLog(`/bundle-requests/${id}/log?after=3501`, all.slice(3501));
    });
  });
});
