import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dependency, PackageType, ResolvedPackage } from '../../../../src/domain/packages/package.ts';
import { BEGUN, COMMIT, storeRequest } from '../../../support/cachito-requests.ts';
import { TestGateway } from '../../../support/gateway.ts';

const dependency = (type: PackageType, name: string, version: string | null, dev?: boolean): Dependency => ({
  type,
  name,
  version,
  replaces: null,
  ...(dev !== undefined && { dev }),
});

const GO: ResolvedPackage[] = [
  {
    type: 'go-package',
    name: 'git.example/app/cmd',
    version: 'v1.0.0',
    path: '.',
    dependencies: [dependency('go-package', 'example.org/lib/sub', 'v1.2.0')],
  },
  {
    type: 'gomod',
    name: 'git.example/app',
    version: 'v1.0.0',
    path: '.',
    dependencies: [dependency('gomod', 'example.org/lib', 'v1.2.0')],
  },
];
const NPM: ResolvedPackage[] = [
  {
    type: 'npm',
    name: 'client',
    version: '1.0.0',
    path: 'client',
    dependencies: [
      dependency('npm', '@angular/core', '1.0.0', false),
      dependency('npm', 'chai', 'github:chaijs/Chai#abc', true),
    ],
  },
];

let gateway: TestGateway;
let go: number;
let npm: number;
let stale: number;
let running: number;
let failed: number;
let unknownProtocol: number;
let unconvertible: number;

const VCS = `pkg:generic/client?vcs_url=https%3A%2F%2Fgit.example%2Forg%2Fapp.git%40${COMMIT}#client`;
const METADATA =
  '"metadata":{"icm_spec":"https://raw.githubusercontent.com/containerbuildsystem/atomic-reactor/' +
  'f4abcfdaf8247a6b074f94fa84f3846f82d781c6/atomic_reactor/schemas/content_manifest.json",' +
  '"icm_version":1,"image_layer_index":-1}';
const GO_CONTENT =
  '{"dependencies":[{"purl":"pkg:golang/example.org%2Flib%2Fsub@v1.2.0"}],' +
  '"purl":"pkg:golang/git.example%2Fapp%2Fcmd@v1.0.0","sources":[{"purl":"pkg:golang/example.org%2Flib@v1.2.0"}]}';
const NPM_CONTENT =
  `{"dependencies":[{"purl":"pkg:npm/%40angular/core@1.0.0"}],"purl":"${VCS}",` +
  '"sources":[{"purl":"pkg:github/chaijs/Chai@abc"},{"purl":"pkg:npm/%40angular/core@1.0.0"}]}';
const manifest = (...contents: string[]): string =>
  `{"image_contents":[${contents.join(',')}],${METADATA}}\n`;

const get = async (path: string): Promise<[status: number, text: string]> => {
  const response = await fetch(`${gateway.url}/api/v1${path}`);
  expect(response.headers.get('content-type')).toBe('application/json');
  return [response.status, await response.text()];
};
const error = (text: string): string => `${JSON.stringify({ error: text })}\n`;

beforeAll(async () => {
  gateway = await TestGateway.start();
  const { sql } = gateway.stack.database;
  const withVersion = (version: string): ResolvedPackage[] => [
    {
      type: 'npm',
      name: 'a',
      version: '1.0.0',
      path: '.',
      dependencies: [dependency('npm', 'b', version, false)],
    },
  ];
  go = await storeRequest(sql, { packages: GO });
  npm = await storeRequest(sql, { packages: NPM });
  stale = await storeRequest(sql, {
    states: [BEGUN, ['stale', 'The request has expired', '2021-07-09T00:00:00Z']],
  });
  running = await storeRequest(sql, { states: [BEGUN] });
  failed = await storeRequest(sql, { states: [BEGUN, ['failed', 'No.', '2021-07-09T00:00:00Z']] });
  unknownProtocol = await storeRequest(sql, { packages: withVersion('svn://svn.example/b') });
  unconvertible = await storeRequest(sql, { packages: withVersion('weird:foo') });
});
afterAll(async () => {
  await gateway?.close();
});

describe('GET /requests/{id}/content-manifest', () => {
  test('of Go packages and of others, byte for byte', async () => {
    expect(await get(`/requests/${go}/content-manifest`)).toEqual([200, manifest(GO_CONTENT)]);
    expect(await get(`/requests/${npm}/content-manifest`)).toEqual([200, manifest(NPM_CONTENT)]);
  });

  test('without contents once it is stale', async () => {
    expect(await get(`/requests/${stale}/content-manifest`)).toEqual([200, manifest()]);
  });

  const UNAVAILABLE = 'Content manifests are only available for requests in the "complete" or "stale" states';
  test.each<[string, () => number, number, string]>([
    ['in progress', () => running, 400, UNAVAILABLE],
    ['failed', () => failed, 400, UNAVAILABLE],
    ['unknown', () => 99_999, 404, 'The requested resource was not found'],
    [
      'of an unknown protocol',
      () => unknownProtocol,
      501,
      'Unknown protocol in npm package version: svn://svn.example/b',
    ],
    ['of a version without a purl', () => unconvertible, 501, 'Could not convert version weird:foo to purl'],
  ])('%s', async (_name, number, status, text) => {
    expect(await get(`/requests/${number()}/content-manifest`)).toEqual([status, error(text)]);
  });
});

describe('GET /content-manifest', () => {
  test.each(['', '?requests=', '?requests=,%20,'])('%s: nothing', async (query) => {
    expect(await get(`/content-manifest${query}`)).toEqual([200, manifest()]);
  });

  test('contents of several, sorted by purl', async () => {
    const both = manifest(NPM_CONTENT, GO_CONTENT);
    expect(await get(`/content-manifest?requests=${go},${npm}`)).toEqual([200, both]);
    expect(await get(`/content-manifest?requests=%20${npm}%20,,${go},${npm},+${go},${stale}`)).toEqual([
      200,
      both,
    ]);
  });

  test('equal entries stay', async () => {
    const again = await storeRequest(gateway.stack.database.sql, { packages: GO });
    expect(await get(`/content-manifest?requests=${go},${again}`)).toEqual([
      200,
      manifest(GO_CONTENT, GO_CONTENT),
    ]);
  });

  test.each<[() => string, string | (() => string)]>([
    [() => 'a', 'a is not an integer.'],
    [() => `99999,${running},1.5,x`, '1.5 is not an integer.'],
    [() => '98,99', 'Cannot find request(s) 98, 99.'],
    [() => '99,-1,98,0,99', 'Cannot find request(s) -1, 0, 98, 99.'],
    [() => `99999999999999999999999,${running}`, 'Cannot find request(s) 99999999999999999999999.'],
    [
      () => `${go},${running},${failed}`,
      () => `Request ${running} is in state in_progress, not complete or stale.`,
    ],
    [() => `${failed},${running}`, () => `Request ${failed} is in state failed, not complete or stale.`],
    [() => '\u0000', '\u0000 is not an integer.'],
  ])('errors, %#', async (requests, text) => {
    expect(await get(`/content-manifest?requests=${encodeURIComponent(requests())}`)).toEqual([
      400,
      error(typeof text === 'string' ? text : text()),
    ]);
  });

  test('501 for what has no purl', async () => {
    expect(await get(`/content-manifest?requests=${go},${unconvertible}`)).toEqual([
      501,
      error('Could not convert version weird:foo to purl'),
    ]);
  });
});

describe('GET /sbom', () => {
  const sbom = (...components: string[]): string =>
    `{"bomFormat":"CycloneDX","components":[${components.join(',')}],"specVersion":"1.4","version":1}\n`;
  const component = (name: string, purl: string, version: string | null): string =>
    `{"name":"${name}","purl":"${purl}","type":"library"${version === null ? '' : `,"version":"${version}"`}}`;
  const OF_GO = [
    component('example.org/lib', 'pkg:golang/example.org%2Flib@v1.2.0', 'v1.2.0'),
    component('example.org/lib/sub', 'pkg:golang/example.org%2Flib%2Fsub@v1.2.0', 'v1.2.0'),
    component('git.example/app', 'pkg:golang/git.example%2Fapp@v1.0.0', 'v1.0.0'),
    component('git.example/app/cmd', 'pkg:golang/git.example%2Fapp%2Fcmd@v1.0.0', 'v1.0.0'),
  ];
  // "%2F" sorts before "@".
  const SORTED_GO = [OF_GO[1]!, OF_GO[0]!, OF_GO[3]!, OF_GO[2]!];

  test('nothing without requests', async () => {
    expect(await get('/sbom')).toEqual([200, sbom()]);
    expect(await get('/sbom?requests=,')).toEqual([200, sbom()]);
  });

  test('packages of every type and all dependencies, once each', async () => {
    const again = await storeRequest(gateway.stack.database.sql, { packages: GO });
    expect(await get(`/sbom?requests=${go},${again}`)).toEqual([200, sbom(...SORTED_GO)]);
    expect(await get(`/sbom?requests=${npm}`)).toEqual([
      200,
      sbom(
        component('client', VCS, '1.0.0'),
        component('chai', 'pkg:github/chaijs/Chai@abc', 'github:chaijs/Chai#abc'),
        component('@angular/core', 'pkg:npm/%40angular/core@1.0.0', '1.0.0'),
      ),
    ]);
  });

  test('no version where there is none', async () => {
    const number = await storeRequest(gateway.stack.database.sql, {
      packages: [{ type: 'npm', name: 'a', version: null, path: '.', dependencies: [] }],
    });
    expect(await get(`/sbom?requests=${number}`)).toEqual([
      200,
      sbom(
        component('a', `pkg:generic/a?vcs_url=https%3A%2F%2Fgit.example%2Forg%2Fapp.git%40${COMMIT}`, null),
      ),
    ]);
  });

  test.each<[() => string, () => string]>([
    [() => 'x,98', () => 'x is not an integer.'],
    [() => `98,${running}`, () => 'Cannot find request(s) 98.'],
    [
      () => `${go},${running},${stale}`,
      () =>
        `Request ${running} is in state in_progress, not in {'complete'}.\n` +
        `Request ${stale} is in state stale, not in {'complete'}.\n`,
    ],
  ])('errors, %#', async (requests, text) => {
    expect(await get(`/sbom?requests=${requests()}`)).toEqual([400, error(text())]);
  });
});
