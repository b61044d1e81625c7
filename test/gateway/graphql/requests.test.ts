import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestGateway } from '../../support/gateway.ts';
import { TestRepository } from '../../support/git-repository.ts';
import { lockFileOf, manyPackages, type NpmRegistry, startNpmRegistry } from '../../support/npm-registry.ts';

const SUBMIT = `mutation ($input: SubmitBundleRequestInput!) {
  submitBundleRequest(input: $input) {
    __typename
    ... on Error { code message }
    ... on MutationSubmitBundleRequestSuccess { data { number id state stateReason version attempt } }
  }
}`;

describe('A request from its submission to its bundle', () => {
  let registry: NpmRegistry;
  let gateway: TestGateway;
  let repository: TestRepository;
  let number: number;

  beforeAll(async () => {
    registry = await startNpmRegistry(manyPackages(7));
    gateway = await TestGateway.start({ worker: true, environment: { STOWAGE_NPM_REGISTRY: registry.url } });
    repository = new TestRepository({
      'package.json': JSON.stringify({ name: 'fixture-application', version: '1.0.0' }),
      'package-lock.json': lockFileOf(registry, null),
    });
    const { submitBundleRequest } = await gateway.data(SUBMIT, {
      input: {
        repository: repository.path,
        ref: 'main',
        project: 'apps',
        packageManagers: ['NPM'],
        flags: ['CGO_DISABLE'],
      },
    });
    number = submitBundleRequest.data.number;
    expect(submitBundleRequest).toEqual({
      __typename: 'MutationSubmitBundleRequestSuccess',
      data: {
        number,
        id: Buffer.from(`BundleRequest:${number}`).toString('base64'),
        state: 'IN_PROGRESS',
        stateReason: 'The request was initiated',
        version: 1,
        attempt: 1,
      },
    });
    expect(await gateway.stack.untilFinal(number)).toMatchObject({ state: 'complete', error: null });
  });
  afterAll(async () => {
    await gateway?.close();
    await registry?.close();
  });

  const read = async (fields: string, as: 'ada' | 'bob' = 'bob') =>
    (await gateway.data(`query ($n: Int!) { r: bundleRequest(number: $n) { ${fields} } }`, { n: number }, as))
      .r;

  test('says what was asked for, who asked, and when', async () => {
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const request = await read(`
      number repository requestedRef commit upload rules state stateReason createdAt updatedAt finishedAt attempt detect
      packageManagers flags dependencyReplacements strictIntegrity user { name } project { name visibility }
      error { code } plan packagesCount dependenciesCount`);
    expect(request).toEqual({
      number,
      repository: repository.path,
      requestedRef: 'main',
      commit: repository.head,
      upload: null,
      rules: 'native',
      state: 'COMPLETE',
      stateReason: 'Completed successfully',
      createdAt: time,
      updatedAt: time,
      finishedAt: time,
      attempt: 1,
      detect: false,
      packageManagers: ['NPM'],
      flags: ['CGO_DISABLE'],
      dependencyReplacements: [],
      strictIntegrity: false,
      user: { name: 'ada' },
      project: { name: 'apps', visibility: 'PRIVATE' },
      error: null,
      plan: expect.anything(),
      packagesCount: 1,
      dependenciesCount: 7,
    });
  });

  test('lists its steps and its history', async () => {
    const { steps, history } = await read(`
      steps { number task packageManager state attempt queuedAt startedAt finishedAt
        progress { packages expectedPackages files expectedFiles cachedFiles bytes } }
      history { version state reason at }`);
    const counters = {
      packages: null,
      expectedPackages: null,
      files: null,
      expectedFiles: null,
      cachedFiles: null,
      bytes: null,
    };
    const done = {
      number: expect.any(Number),
      state: 'SUCCEEDED',
      attempt: 1,
      queuedAt: expect.any(String),
      startedAt: expect.any(String),
      finishedAt: expect.any(String),
    };
    expect(steps).toEqual([
      { ...done, task: 'FETCH_SOURCE', packageManager: null, progress: expect.any(Object) },
      {
        ...done,
        task: 'RESOLVE_PACKAGES',
        packageManager: 'NPM',
        progress: {
          ...counters,
          packages: 7,
          expectedPackages: 7,
          files: 7,
          expectedFiles: 7,
          cachedFiles: 0,
          bytes: registry.packages.reduce((sum, { tarball }) => sum + tarball.length, 0),
        },
      },
      { ...done, task: 'ASSEMBLE_BUNDLE', packageManager: null, progress: expect.any(Object) },
    ]);
    expect(history.map(({ state, reason }: Record<string, string>) => `${state} ${reason}`)).toEqual([
      'IN_PROGRESS The request was initiated',
      'IN_PROGRESS Fetching the application source',
      'IN_PROGRESS Configuring Nexus for npm',
      'IN_PROGRESS Fetching the npm dependencies at the "." directory"',
      'IN_PROGRESS Finalizing the Nexus configuration for npm',
      'IN_PROGRESS Assembling the bundle archive',
      'IN_PROGRESS Aggregating packages data',
      'COMPLETE Completed successfully',
    ]);
    const versions = history.map(({ version }: { version: number }) => version);
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => (a as number) - (b as number)));
  });

  test('reports its package with its dependencies', async () => {
    const { packages } = await read(`packages { pageInfo { hasNextPage hasPreviousPage } nodes {
      type name version path dev dependenciesCount
      dependencies(first: 2) { pageInfo { hasNextPage endCursor } nodes { type name version dev replaces { name } } } } }`);
    expect(packages).toEqual({
      pageInfo: { hasNextPage: false, hasPreviousPage: false },
      nodes: [
        {
          type: 'npm',
          name: 'fixture-application',
          version: '1.0.0',
          path: '.',
          dev: null,
          dependenciesCount: 7,
          dependencies: {
            pageInfo: { hasNextPage: true, endCursor: expect.any(String) },
            nodes: [
              { type: 'npm', name: '@fixture/package-0000', version: '1.0.0', dev: false, replaces: null },
              { type: 'npm', name: '@fixture/package-0005', version: '3.5.5', dev: false, replaces: null },
            ],
          },
        },
      ],
    });
  });

  describe('pages of dependencies', () => {
    const names = [
      '@fixture/package-0000',
      '@fixture/package-0005',
      'fixture-0001',
      'fixture-0002',
      'fixture-0003',
      'fixture-0004',
      'fixture-0006',
    ];
    const page = async (args: string, count = '') => {
      const { dependencies } = await read(`dependencies(${args}) { ${count}
        pageInfo { startCursor endCursor hasNextPage hasPreviousPage } edges { cursor node { name } } }`);
      const { pageInfo, edges, totalCount } = dependencies;
      return {
        names: edges.map((edge: { node: { name: string } }) => edge.node.name),
        start: pageInfo.startCursor,
        end: pageInfo.endCursor,
        cursors: edges.map((edge: { cursor: string }) => edge.cursor),
        more: [pageInfo.hasPreviousPage, pageInfo.hasNextPage],
        totalCount,
      };
    };

    test('go forwards', async () => {
      const first = await page('first: 3', 'totalCount');
      expect(first).toMatchObject({ names: names.slice(0, 3), more: [false, true], totalCount: 7 });
      expect([first.start, first.end]).toEqual([first.cursors[0], first.cursors[2]]);
      const second = await page(`first: 3, after: "${first.end}"`, 'totalCount');
      expect(second).toMatchObject({ names: names.slice(3, 6), more: [true, true], totalCount: 7 });
      const third = await page(`first: 3, after: "${second.end}"`, 'totalCount');
      expect(third).toMatchObject({ names: names.slice(6), more: [true, false], totalCount: 7 });
      expect(await page(`first: 3, after: "${third.end}"`, 'totalCount')).toEqual({
        names: [],
        start: null,
        end: null,
        cursors: [],
        more: [true, false],
        totalCount: 7,
      });
    });

    test('go backwards', async () => {
      const last = await page('last: 3', 'totalCount');
      expect(last).toMatchObject({ names: names.slice(4), more: [true, false], totalCount: 7 });
      const before = await page(`last: 3, before: "${last.start}"`, 'totalCount');
      expect(before).toMatchObject({ names: names.slice(1, 4), more: [true, true], totalCount: 7 });
      const first = await page(`last: 3, before: "${before.start}"`);
      expect(first).toMatchObject({ names: names.slice(0, 1), more: [false, true] });
    });

    test('lie between two cursors', async () => {
      const { cursors } = await page('first: 7');
      const between = `after: "${cursors[0]}", before: "${cursors[5]}"`;
      expect((await page(between)).names).toEqual(names.slice(1, 5));
      expect((await page(`first: 2, ${between}`)).names).toEqual(names.slice(1, 3));
      expect((await page(`last: 2, ${between}`)).names).toEqual(names.slice(3, 5));
      expect((await page(`after: "${cursors[5]}", before: "${cursors[2]}"`)).names).toEqual([]);
    });

    test('may be empty', async () => {
      expect(await page('first: 0', 'totalCount')).toMatchObject({
        names: [],
        more: [false, true],
        totalCount: 7,
      });
    });

    test.each([
      ['name: "fixture-0002"', ['fixture-0002'], 1],
      ['type: "npm", dev: false', names, 7],
      ['dev: true', [], 0],
      ['type: "pip"', [], 0],
    ])('are filtered: %s', async (args, expected, totalCount) => {
      expect(await page(args, 'totalCount')).toMatchObject({ names: expected, totalCount });
    });
  });

  test('has what a build sets', async () => {
    const { environment, configurationFiles } = await read(
      'environment { name value kind } configurationFiles { path content text }',
    );
    expect(environment.length).toBeGreaterThan(0);
    for (const variable of environment) {
      expect(variable).toEqual({
        name: expect.stringMatching(/^[A-Za-z_]\w*$/),
        value: expect.any(String),
        kind: expect.stringMatching(/^(PATH|LITERAL)$/),
      });
    }
    expect(configurationFiles.map(({ path }: { path: string }) => path)).toContain('app/package-lock.json');
    for (const { content, text } of configurationFiles) {
      expect(Buffer.from(content, 'base64').toString()).toBe(text);
    }
  });

  test('shows its log page by page', async () => {
    const { log } = await read('log { total closed lines { number at level source text } }');
    expect(log).toMatchObject({ closed: true, total: log.lines.length });
    expect(log.lines.map(({ number: line }: { number: number }) => line)).toEqual(
      Array.from({ length: log.total }, (_, index) => index + 1),
    );
    const page = await read('log(afterLine: 2, limit: 3) { total lines { number text } }');
    expect(page.log).toEqual({
      total: log.total,
      lines: log.lines
        .slice(2, 5)
        .map(({ number: line, text }: { number: number; text: string }) => ({ number: line, text })),
    });
    expect((await read(`log(afterLine: ${log.total}) { lines { number } }`)).log.lines).toEqual([]);
  });

  test.each([
    ['log(afterLine: -1) { total }', 'afterLine must not be negative'],
    ['log(limit: 0) { total }', 'limit must be from 1 to 5000'],
    ['log(limit: 5001) { total }', 'limit must be from 1 to 5000'],
  ])('refuses %s', async (field, message) => {
    const { errors } = await gateway.graphql(`query ($n: Int!) { bundleRequest(number: $n) { ${field} } }`, {
      n: number,
    });
    expect(errors).toMatchObject([{ message, extensions: { code: 'invalid-input' } }]);
  });

  test('leads to its bundle and its documents', async () => {
    const { bundle } =
      await read(`bundle { manifestDigest tarDigest tarSize archiveDigest archiveSize entries writerVersion
      archiveUrl manifestUrl contentManifestUrl provenanceUrl environmentUrl cyclonedx: sbomUrl spdx: sbomUrl(format: SPDX) }`);
    const digest = expect.stringMatching(/^sha256:[0-9a-f]{64}$/);
    const base = `${gateway.url}/bundle-requests/${number}`;
    expect(bundle).toEqual({
      manifestDigest: digest,
      tarDigest: digest,
      tarSize: expect.any(Number),
      archiveDigest: digest,
      archiveSize: expect.any(Number),
      entries: expect.any(Number),
      writerVersion: expect.any(String),
      archiveUrl: `${base}/archive`,
      manifestUrl: `${base}/manifest`,
      contentManifestUrl: `${base}/content-manifest`,
      provenanceUrl: `${base}/provenance`,
      environmentUrl: `${base}/environment`,
      cyclonedx: `${base}/sbom?format=cyclonedx-1.6`,
      spdx: `${base}/sbom?format=spdx-2.3`,
    });
    for (const url of Object.values(bundle).filter((value) => String(value).startsWith('http'))) {
      const response = await fetch(url as string, { method: 'HEAD', headers: gateway.headers('bob') });
      expect([url, response.status]).toEqual([url, 200]);
    }
    const archive = await fetch(bundle.archiveUrl, { headers: gateway.headers('bob') });
    const bytes = Buffer.from(await archive.arrayBuffer());
    expect(bytes.length).toBe(bundle.archiveSize);
    expect(`sha256:${createHash('sha256').update(bytes).digest('hex')}`).toBe(bundle.archiveDigest);
  });

  test('absolute links follow the configured address', async () => {
    const { settings } = gateway.stack;
    const before = settings.publicUrl;
    settings.publicUrl = 'https://stowage.example/base';
    const { bundle } = await read('bundle { archiveUrl }');
    settings.publicUrl = before;
    expect(bundle).toEqual({ archiveUrl: `https://stowage.example/base/bundle-requests/${number}/archive` });
  });

  test('is a node', async () => {
    const { node, nodes } = await gateway.data(
      `query ($id: ID!, $none: ID!) {
        node(id: $id) { __typename id ... on BundleRequest { number state } }
        nodes(ids: [$none, $id]) { id }
      }`,
      {
        id: Buffer.from(`BundleRequest:${number}`).toString('base64'),
        none: Buffer.from('BundleRequest:999999').toString('base64'),
      },
    );
    expect(node).toEqual({ __typename: 'BundleRequest', id: expect.any(String), number, state: 'COMPLETE' });
    expect(nodes).toEqual([null, { id: node.id }]);
  });

  test('does not exist for those who may not know of it', async () => {
    const id = Buffer.from(`BundleRequest:${number}`).toString('base64');
    const query = 'query ($n: Int!, $id: ID!) { bundleRequest(number: $n) { number } node(id: $id) { id } }';
    expect(await gateway.data(query, { n: number, id }, 'eve')).toEqual({ bundleRequest: null, node: null });
  });

  test('fails with a reason that programs can read', async () => {
    const { submitBundleRequest } = await gateway.data(SUBMIT, {
      input: { repository: repository.path, ref: 'no-such-branch', project: 'apps' },
    });
    const failed = submitBundleRequest.data.number;
    await gateway.stack.untilFinal(failed);
    const { r } = await gateway.data(
      `query ($n: Int!) { r: bundleRequest(number: $n) { state stateReason bundle { entries } packagesCount finishedAt
         error { code message hint details errorType errorOrigin }
         packages { nodes { name } } dependencies { totalCount nodes { name } } environment { name } steps { task state } } }`,
      { n: failed },
    );
    expect(r).toMatchObject({
      state: 'FAILED',
      stateReason: r.error.message,
      bundle: null,
      packagesCount: null,
      finishedAt: expect.any(String),
      error: { code: 'bad-revision', errorType: expect.any(String), errorOrigin: expect.any(String) },
      packages: { nodes: [] },
      dependencies: { totalCount: 0, nodes: [] },
      environment: [],
    });
    expect(r.steps[0]).toEqual({ task: 'FETCH_SOURCE', state: 'FAILED' });
  });
});
