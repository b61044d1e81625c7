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
});
