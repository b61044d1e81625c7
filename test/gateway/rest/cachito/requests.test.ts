import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ResolvedPackage } from '../../../../src/domain/packages/package.ts';
import { BEGUN, COMMIT, DONE, storeRequest } from '../../../support/cachito-requests.ts';
import { TestGateway } from '../../../support/gateway.ts';

const PACKAGES: ResolvedPackage[] = [
  {
    type: 'npm',
    name: 'client',
    version: '1.0.0',
    path: 'client',
    dependencies: [
      { type: 'npm', name: 'chai', version: '4.2.0', dev: false, replaces: null },
      { type: 'npm', name: 'chai', version: '4.2.0', dev: true, replaces: null },
    ],
  },
  {
    type: 'npm',
    name: 'server',
    version: '1.0.0',
    path: '.',
    dependencies: [
      {
        type: 'npm',
        name: 'chai',
        version: '4.2.0',
        dev: false,
        replaces: { type: 'npm', name: 'chai', version: '4.1.0' },
      },
    ],
  },
];

let gateway: TestGateway;
let complete: number;
let failed: number;

const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${gateway.url}/api/v1${path}`, { headers });

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
      { name: 'A', value: 'true', kind: 'literal' },
    ],
  });
  failed = await storeRequest(sql, {
    states: [BEGUN, ['failed', 'No.', '2021-07-07T18:02:36.000001Z']],
    error: { errorOrigin: 'client', errorType: 'InvalidRepoStructure' },
  });
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
    expect(await response.text()).toBe(
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
});

test('DONE is what the fixtures end with', () => {
  expect(DONE[0]).toBe('complete');
});
