import { expect, test } from 'vitest';
import { type ProvenanceFacts, provenanceStatement } from '../../../src/domain/bundles/provenance.ts';
import { component } from '../../support/sbom-subject.ts';

const hex = (digit: string): string => digit.repeat(64);
const facts: ProvenanceFacts = {
  subjects: [
    { name: 'bundle.tar', digest: `sha256:${hex('1')}` },
    { name: 'bundle.tar.gz', digest: `sha256:${hex('2')}` },
  ],
  repository: 'https://git.example/org/app.git',
  ref: 'main',
  commit: 'c'.repeat(40),
  treeId: 'd'.repeat(40),
  packages: { npm: [{ path: '.' }] },
  flags: ['cgo-disable'],
  dependencyReplacements: [],
  tools: { go: 'go1.25.0' },
  policy: { rules: 'native', strictIntegrity: true },
  components: [
    component({ purl: 'pkg:npm/app@1.0.0', name: 'app', isSourcePackage: true }),
    component({
      purl: 'pkg:npm/a@1.0.0',
      hashes: { sha256: hex('3'), sha512: hex('4') },
      distributionUrl: 'https://npm.example/a/-/a-1.0.0.tgz',
    }),
    component({ purl: 'pkg:npm/b@1.0.0', name: 'b', hashes: { sha256: hex('5') } }),
  ],
  sboms: [{ name: 'SPDX SBOM', digest: `sha256:${hex('6')}`, mediaType: 'application/spdx+json' }],
  byproducts: [{ name: 'content manifest', digest: `sha256:${hex('7')}`, mediaType: 'application/json' }],
  builder: { id: 'https://builder.example/worker', version: '1.2.3' },
  invocationId: 'bundle-request/7/1',
  startedOn: new Date('2026-01-02T03:04:05.678Z'),
  finishedOn: new Date('2026-01-02T03:04:06Z'),
};

test('is an in-toto statement with SLSA provenance v1 and nothing else', () => {
  expect(provenanceStatement(facts)).toEqual({
    _type: 'https://in-toto.io/Statement/v1',
    subject: [
      { name: 'bundle.tar', digest: { sha256: hex('1') } },
      { name: 'bundle.tar.gz', digest: { sha256: hex('2') } },
    ],
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: expect.stringMatching(/^https:\/\/.+\/v1$/),
        externalParameters: {
          repository: 'https://git.example/org/app.git',
          ref: 'main',
          packages: { npm: [{ path: '.' }] },
          flags: ['cgo-disable'],
          dependency_replacements: [],
        },
        internalParameters: {
          tools: { go: 'go1.25.0' },
          policy: { rules: 'native', strict_integrity: true },
        },
        resolvedDependencies: [
          {
            uri: `git+https://git.example/org/app.git@${'c'.repeat(40)}`,
            name: 'source',
            digest: { gitCommit: 'c'.repeat(40), gitTree: 'd'.repeat(40) },
          },
          {
            uri: 'pkg:npm/a@1.0.0',
            name: 'a',
            digest: { sha256: hex('3'), sha512: hex('4') },
            downloadLocation: 'https://npm.example/a/-/a-1.0.0.tgz',
          },
          { uri: 'pkg:npm/b@1.0.0', name: 'b', digest: { sha256: hex('5') } },
          { name: 'SPDX SBOM', digest: { sha256: hex('6') }, mediaType: 'application/spdx+json' },
        ],
      },
      runDetails: {
        builder: { id: 'https://builder.example/worker', version: { stowage: '1.2.3' } },
        metadata: {
          invocationId: 'bundle-request/7/1',
          startedOn: '2026-01-02T03:04:05.678Z',
          finishedOn: '2026-01-02T03:04:06.000Z',
        },
        byproducts: [
          { name: 'content manifest', digest: { sha256: hex('7') }, mediaType: 'application/json' },
        ],
      },
    },
  });
});

const sourceOf = (overrides: Partial<ProvenanceFacts>): unknown =>
  (
    provenanceStatement({ ...facts, ...overrides }) as {
      predicate: { buildDefinition: { resolvedDependencies: unknown[] } };
    }
  ).predicate.buildDefinition.resolvedDependencies[0];

test.each<[string, Partial<ProvenanceFacts>, unknown]>([
  [
    'an uploaded archive',
    { repository: null, ref: null, commit: null },
    { name: 'source', digest: { gitTree: 'd'.repeat(40) } },
  ],
  [
    'a path of this machine',
    { repository: '/home/me/app' },
    { name: 'source', digest: { gitCommit: 'c'.repeat(40), gitTree: 'd'.repeat(40) } },
  ],
  [
    'credentials in the URL',
    { repository: 'https://me:secret@git.example/app' },
    expect.objectContaining({ uri: `git+https://git.example/app@${'c'.repeat(40)}` }),
  ],
])('the source: %s', (_what, overrides, expected) => {
  expect(sourceOf(overrides)).toEqual(expected);
});
