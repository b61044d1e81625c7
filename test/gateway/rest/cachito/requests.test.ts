import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ResolvedPackage } from '../../../../src/domain/packages/package.ts';
import { BEGUN, COMMIT, storeRequest } from '../../../support/cachito-requests.ts';
import { type Caller, TestGateway } from '../../../support/gateway.ts';

const CHAI = { type: 'npm', name: 'chai', version: '4.2.0', replaces: null } as const;
const PACKAGES: ResolvedPackage[] = [
  {
    type: 'npm',
    name: 'client',
    version: '1.0.0',
    path: 'client',
    dependencies: [
      { ...CHAI, dev: false },
      { ...CHAI, dev: true },
    ],
  },
  {
    type: 'npm',
    name: 'server',
    version: '1.0.0',
    path: '.',
    dependencies: [{ ...CHAI, dev: false, replaces: { type: 'npm', name: 'chai', version: '4.1.0' } }],
  },
];

let gateway: TestGateway;
let complete: number;
let failed: number;
let cancelled: number;
let stale: number;
let running: number;
let lost: number;
let empty: number;
let uploaded: number;
let native: number;
let inProject: number;
let secret: number;

const get = (path: string, as: Caller = 'anonymous'): Promise<Response> =>
  fetch(`${gateway.url}/api/v1${path}`, { headers: gateway.headers(as) });
const NOT_FOUND = '{"error":"The requested resource was not found"}\n';

beforeAll(async () => {
  gateway = await TestGateway.start();
  const { sql } = gateway.stack.database;
  complete = await storeRequest(sql, {
    packageManagers: ['git-submodule', 'npm'],
    flags: ['include-git-dir', 'cgo-disable'],
    user: 'ada',
    submittedBy: 'admin',
    packages: PACKAGES,
    environment: [
      { name: 'B', value: 'deps/b', kind: 'path' },
      { name: 'A', value: 'old', kind: 'literal' },
      { name: 'A', value: 'true', kind: 'literal' },
    ],
    configurationFiles: [
      { path: 'app/.npmrc', content: 'registry=x\n' },
      { path: 'app/.bundle/config', content: 'a' },
      { path: 'app/.bundle/config', content: 'b' },
    ],
  });
  failed = await storeRequest(sql, {
    states: [BEGUN, ['failed', 'No.', '2021-07-07T18:02:36.000001Z']],
    error: { errorOrigin: 'client', errorType: 'InvalidRepoStructure' },
  });
  cancelled = await storeRequest(sql, {
    rules: 'native',
    states: [BEGUN, ['cancelled', 'The request was cancelled by ada', '2021-07-07T18:02:36.5Z']],
  });
  stale = await storeRequest(sql, {
    states: [
      BEGUN,
      ['complete', 'ok', '2021-07-07T18:02:36Z'],
      ['stale', 'The request has expired', '2021-07-09T00:00:00Z'],
    ],
    packages: PACKAGES,
  });
  running = await storeRequest(sql, { states: [BEGUN] });
  lost = await storeRequest(sql, { packages: null });
  empty = await storeRequest(sql, { packages: [], packageManagers: [] });
  uploaded = await storeRequest(sql, { rules: 'native', repository: null, packages: [] });
  native = await storeRequest(sql, { rules: 'native', packages: [] });
  inProject = await storeRequest(sql, { project: 'apps', packages: [] });
  secret = await storeRequest(sql, { repository: 'https://ada:pass@git.example/x.git', packages: [] });
});
afterAll(async () => {
  await gateway?.close();
});

describe('GET /requests/{id}', () => {
  test('all of a complete request, byte for byte', async () => {
    const response = await get(`/requests/${complete}`);
    const url = `${gateway.url}/api/v1/requests/${complete}`;
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    const text = await response.text();
    expect(text).toBe(
      `{"configuration_files":"${url}/configuration-files","content_manifest":"${url}/content-manifest",` +
        '"created":"2021-07-07T18:02:35.149979","dependencies":[' +
        '{"dev":false,"name":"chai","replaces":null,"type":"npm","version":"4.2.0"},' +
        '{"dev":true,"name":"chai","replaces":null,"type":"npm","version":"4.2.0"}],' +
        `"environment_variables":{"A":"true","B":"deps/b"},"environment_variables_info":"${url}/environment-variables",` +
        `"flags":["cgo-disable","include-git-dir"],"id":${complete},"logs":{"url":"${url}/logs"},"packages":[` +
        '{"dependencies":[{"dev":false,"name":"chai","replaces":null,"type":"npm","version":"4.2.0"},' +
        '{"dev":true,"name":"chai","replaces":null,"type":"npm","version":"4.2.0"}],' +
        '"name":"client","path":"client","type":"npm","version":"1.0.0"},' +
        '{"dependencies":[{"dev":false,"name":"chai","replaces":{"name":"chai","type":"npm","version":"4.1.0"},' +
        '"type":"npm","version":"4.2.0"}],"name":"server","type":"npm","version":"1.0.0"}],' +
        `"pkg_managers":["npm","git-submodule"],"ref":"${COMMIT}","repo":"https://git.example/org/app.git",` +
        '"state":"complete","state_history":[' +
        '{"state":"complete","state_reason":"Completed successfully","updated":"2021-07-07T18:02:37.000000"},' +
        '{"state":"in_progress","state_reason":"The request was initiated","updated":"2021-07-07T18:02:35.149979"}],' +
        '"state_reason":"Completed successfully","submitted_by":"admin","updated":"2021-07-07T18:02:37.000000",' +
        '"user":"ada"}\n',
    );
    expect(await (await get(`/requests/${complete}`)).text()).toBe(text);
    expect(await (await get(`/requests/${complete}?x=1`, 'eve')).text()).toBe(text);
  });

  test('HEAD has the same headers and no body', async () => {
    const head = await fetch(`${gateway.url}/api/v1/requests/${complete}`, { method: 'HEAD' });
    const whole = await get(`/requests/${complete}`);
    const length = Buffer.byteLength(await whole.text());
    expect(Object.fromEntries(head.headers)).toMatchObject({
      'content-type': 'application/json',
      'content-length': String(length),
    });
    expect(await head.text()).toBe('');
  });

  test('a client that has this version gets nothing', async () => {
    const etag = (await get(`/requests/${complete}`)).headers.get('etag')!;
    expect(etag).toBe(`W/"${complete}-2"`);
    const url = `${gateway.url}/api/v1/requests/${complete}`;
    const same = await fetch(url, { headers: { 'if-none-match': `"x", ${etag}` } });
    expect([same.status, same.headers.get('etag'), await same.text()]).toEqual([304, etag, '']);
    const other = await fetch(url, { headers: { 'if-none-match': `W/"${complete}-1"` } });
    expect(other.status).toBe(200);
    await other.body?.cancel();
  });

  test('a failed request has an error and no packages', async () => {
    expect(await (await get(`/requests/${failed}`)).json()).toMatchObject({
      state: 'failed',
      state_reason: 'No.',
      updated: '2021-07-07T18:02:36.000001',
      error_origin: 'client',
      error_type: 'InvalidRepoStructure',
      packages: [],
      dependencies: [],
      user: null,
      submitted_by: null,
      environment_variables: {},
    });
  });

  test('requests without an error have no keys of one', async () => {
    expect(Object.keys((await (await get(`/requests/${complete}`)).json()) as object)).not.toContain(
      'error_origin',
    );
  });

  test('what was cancelled has failed in the eyes of Cachito', async () => {
    expect(await (await get(`/requests/${cancelled}`, 'ada')).json()).toMatchObject({
      state: 'failed',
      state_history: [{ state: 'failed', updated: '2021-07-07T18:02:36.500000' }, { state: 'in_progress' }],
    });
  });

  test.each([
    ['stale', () => stale],
    ['running', () => running],
    ['empty', () => empty],
  ])('%s: no packages', async (_name, number) => {
    expect(await (await get(`/requests/${number()}`)).json()).toMatchObject({
      packages: [],
      dependencies: [],
    });
  });

  test('an uploaded archive has no repository', async () => {
    expect(await (await get(`/requests/${uploaded}`, 'ada')).json()).toMatchObject({
      repo: null,
      ref: COMMIT,
    });
  });

  test("credentials in a URL are nobody else's to read", async () => {
    expect(await (await get(`/requests/${secret}`)).json()).toMatchObject({
      repo: 'https://git.example/x.git',
    });
  });

  test.each<[string, () => number, Caller, number]>([
    ['a native request', () => native, 'anonymous', 404],
    ['a native request', () => native, 'eve', 200],
    ['a request of a project', () => inProject, 'anonymous', 404],
    ['a request of a project', () => inProject, 'eve', 404],
    ['a request of a project', () => inProject, 'bob', 200],
    ['a request of a project', () => inProject, 'admin', 200],
    ['a request of everybody', () => complete, 'writer', 200],
  ])('%s, %#: %s', async (_name, number, caller, status) => {
    expect((await get(`/requests/${number()}`, caller)).status).toBe(status);
  });

  test.each(['content-manifest', 'sbom'])(
    '%s of several: what one must not see, is not there',
    async (name) => {
      const path = `/${name}?requests=${complete},${inProject}`;
      const hidden = { error: `Cannot find request(s) ${inProject}.` };
      expect(await (await get(path)).json()).toEqual(hidden);
      expect(await (await get(path, 'eve')).json()).toEqual(hidden);
      expect((await get(path, 'bob')).status).toBe(200);
    },
  );

  test.each([
    '/requests/0',
    '/requests/99999',
    '/requests/2147483647',
    '/requests/2147483648',
    `/requests/${'9'.repeat(300)}`,
    '/requests/abc',
    '/requests/-1',
    '/requests/1.0',
    '/requests/1/',
    '/requests/',
    '/requests/%00',
    '/requests/1%00',
    '/requests/%E0%A4%A',
    '/requests/1/nothing',
    '/nothing',
    '/',
  ])('%s is nothing', async (path) => {
    const response = await get(path);
    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.text()).toBe(NOT_FOUND);
  });

  test('a new version is seen at once', async () => {
    const { sql } = gateway.stack.database;
    const number = await storeRequest(sql, { states: [BEGUN] });
    expect(await (await get(`/requests/${number}`)).json()).toMatchObject({ state_reason: BEGUN[1] });
    await sql.query("update bundle_requests set state_reason = 'Next', version = version + 1 where id = $1", [
      number,
    ]);
    expect(await (await get(`/requests/${number}`)).json()).toMatchObject({ state_reason: 'Next' });
  });
});

describe('Links', () => {
  const linkOf = (headers: Record<string, string>, port = new URL(gateway.url).port): Promise<string> =>
    new Promise((resolve, reject) => {
      const client = httpRequest(
        { port, host: '127.0.0.1', path: `/api/v1/requests/${running}`, headers },
        (response) => {
          let text = '';
          response.on('data', (chunk: Buffer) => {
            text += chunk;
          });
          response.on('end', () => resolve(JSON.parse(text).logs.url));
        },
      );
      client.on('error', reject).end();
    });

  test('begin with what the client has asked', async () => {
    expect(await linkOf({ host: 'a.example:81' })).toBe(
      `http://a.example:81/api/v1/requests/${running}/logs`,
    );
  });

  test('headers of a proxy that is not trusted mean nothing', async () => {
    const headers = { host: 'a.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' };
    expect(await linkOf(headers)).toBe(`http://a.example/api/v1/requests/${running}/logs`);
  });
});

describe('GET /requests/{id}/packages', () => {
  test('as recorded, byte for byte', async () => {
    expect(await (await get(`/requests/${complete}/packages`)).text()).toBe(
      '{"dependencies":[{"dev":false,"name":"chai","type":"npm","version":"4.2.0"},' +
        '{"dev":true,"name":"chai","type":"npm","version":"4.2.0"}],"packages":[' +
        '{"dependencies":[{"dev":false,"name":"chai","type":"npm","version":"4.2.0"},' +
        '{"dev":true,"name":"chai","type":"npm","version":"4.2.0"}],"name":"client","path":"client","type":"npm",' +
        '"version":"1.0.0"},{"dependencies":[{"dev":false,"name":"chai","replaces":{"name":"chai","type":"npm",' +
        '"version":"4.1.0"},"type":"npm","version":"4.2.0"}],"name":"server","type":"npm","version":"1.0.0"}]}\n',
    );
    expect(await (await get(`/requests/${empty}/packages`)).text()).toBe(
      '{"dependencies":[],"packages":[]}\n',
    );
  });

  test.each<[string, () => number, number, string]>([
    ['in progress', () => running, 404, NOT_FOUND],
    ['failed', () => failed, 404, NOT_FOUND],
    ['stale', () => stale, 404, NOT_FOUND],
    ['unknown', () => 99_999, 404, NOT_FOUND],
    ['lost', () => lost, 500, '{"error":"Invalid state: packages file was not found."}\n'],
  ])('%s', async (_name, number, status, text) => {
    const response = await get(`/requests/${number()}/packages`);
    expect([response.status, await response.text()]).toEqual([status, text]);
  });
});

describe('What a build sets', () => {
  test('environment variables: the later one of a name', async () => {
    expect(await (await get(`/requests/${complete}/environment-variables`)).text()).toBe(
      '{"A":{"kind":"literal","value":"true"},"B":{"kind":"path","value":"deps/b"}}\n',
    );
    expect(await (await get(`/requests/${running}/environment-variables?format=registry`)).text()).toBe(
      '{}\n',
    );
  });

  test('configuration files: all of a path', async () => {
    expect(await (await get(`/requests/${complete}/configuration-files`)).text()).toBe(
      '[{"content":"YQ==","path":"app/.bundle/config","type":"base64"},' +
        '{"content":"Yg==","path":"app/.bundle/config","type":"base64"},' +
        '{"content":"cmVnaXN0cnk9eAo=","path":"app/.npmrc","type":"base64"}]\n',
    );
    expect(await (await get(`/requests/${complete}/configuration-files?format=offline`)).text()).toBe('[]\n');
  });

  test.each(['environment-variables', 'configuration-files'])('%s: errors', async (name) => {
    expect((await get(`/requests/99999/${name}`)).status).toBe(404);
    expect((await get(`/requests/${native}/${name}`)).status).toBe(404);
    const response = await get(`/requests/${complete}/${name}?format=tar`);
    expect([response.status, await response.text()]).toEqual([
      400,
      '{"error":"tar is not a valid format. Valid formats are: offline, registry"}\n',
    ]);
  });
});
