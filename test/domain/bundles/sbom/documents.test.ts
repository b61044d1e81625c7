import { describe, expect, test } from 'vitest';
import { cycloneDx } from '../../../../src/domain/bundles/sbom/cyclonedx.ts';
import { rootOf } from '../../../../src/domain/bundles/sbom/sbom-document.ts';
import { spdx } from '../../../../src/domain/bundles/sbom/spdx.ts';
import { cycloneDxErrors, spdxErrors } from '../../../support/sbom-rules.ts';
import { component, sbomSubject } from '../../../support/sbom-subject.ts';

const hex = (length: number): string => 'ab'.repeat(length / 2);

/** A row of every shape. */
const subject = sbomSubject([
  component({
    purl: 'pkg:npm/app@1.0.0',
    name: 'app',
    isSourcePackage: true,
    license: 'Apache-2.0',
    dependsOn: ['pkg:npm/%40s/a@1.0.0', 'pkg:npm/b@2.0.0'],
  }),
  component({
    purl: 'pkg:npm/%40s/a@1.0.0',
    name: '@s/a',
    hashes: { md5: hex(32), sha1: hex(40), sha256: hex(64), sha384: hex(96), sha512: hex(128) },
    distributionUrl: 'https://npm.example/@s/a/-/a-1.0.0.tgz',
    license: ' (MIT OR GPL-2.0+) ',
    bundlePaths: ['deps/npm/@s/a/s-a-1.0.0.tgz', 'deps/npm/copy.tgz'],
    properties: { 'stowage:npm:has-install-script': 'true', 'cdx:npm:package:development': 'true' },
    dependsOn: ['pkg:npm/b@2.0.0'],
  }),
  component({
    purl: 'pkg:npm/b@2.0.0',
    name: 'b',
    version: '2.0.0',
    license: 'SEE LICENSE IN x',
    dependsOn: [],
  }),
  component({ purl: 'pkg:npm/loose@1', name: 'loose', version: '1', license: 'LicenseRef-own' }),
  component({ purl: 'pkg:golang/fmt?type=package', name: 'fmt', version: null }),
  component({
    purl: 'pkg:generic/tool.bin@1',
    name: 'tool.bin',
    type: 'file',
    hashes: { sha256: hex(64) },
    bundlePaths: ['deps/generic/tool.bin'],
  }),
]);

describe('CycloneDX 1.6', () => {
  const document = JSON.parse(cycloneDx(subject));

  test('is valid by the public schema', () => {
    expect(cycloneDxErrors(cycloneDx(subject))).toEqual([]);
    expect(cycloneDxErrors(cycloneDx(sbomSubject([])))).toEqual([]);
  });

  test('the rules find what is wrong', () => {
    const broken = {
      ...document,
      unknown: 1,
      components: [...document.components, { ...document.components[1], hashes: [] }],
      dependencies: [...document.dependencies, { ref: 'absent' }],
    };
    expect(cycloneDxErrors(JSON.stringify(broken))).toEqual([
      ' must NOT have additional properties',
      'the ref pkg:npm/%40s/a@1.0.0 is there twice',
      'absent is not in the document',
      'pkg:npm/%40s/a@1.0.0 has no SHA-256',
    ]);
  });

  test('has nothing of the clock in it', () => {
    expect(document).toMatchObject({
      bomFormat: 'CycloneDX',
      specVersion: '1.6',
      version: 1,
      serialNumber: expect.stringMatching(
        /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      ),
      metadata: { timestamp: '2020-09-13T12:26:40Z' },
    });
    expect(cycloneDx(subject)).toBe(cycloneDx(subject));
    const other = JSON.parse(cycloneDx({ ...subject, identity: `sha256:${'2'.repeat(64)}` }));
    expect(other.serialNumber).not.toBe(document.serialNumber);
  });

  test('the source is the root: it depends on its packages and on what nothing else needs', () => {
    const root = rootOf(subject);
    expect(document.metadata.component).toEqual({
      type: 'application',
      'bom-ref': root.ref,
      name: 'app',
      version: 'c'.repeat(40),
      purl: `pkg:generic/app@${'c'.repeat(40)}?vcs_url=git%2Bhttps%3A%2F%2Fgit.example%2Forg%2Fapp.git%40${'c'.repeat(40)}`,
    });
    expect(document.dependencies).toEqual([
      { ref: 'pkg:generic/tool.bin@1' },
      { ref: 'pkg:golang/fmt?type=package' },
      { ref: 'pkg:npm/%40s/a@1.0.0', dependsOn: ['pkg:npm/b@2.0.0'] },
      { ref: 'pkg:npm/app@1.0.0', dependsOn: ['pkg:npm/%40s/a@1.0.0', 'pkg:npm/b@2.0.0'] },
      { ref: 'pkg:npm/b@2.0.0', dependsOn: [] },
      { ref: 'pkg:npm/loose@1' },
      {
        ref: root.ref,
        dependsOn: [
          'pkg:generic/tool.bin@1',
          'pkg:golang/fmt?type=package',
          'pkg:npm/app@1.0.0',
          'pkg:npm/loose@1',
        ],
      },
    ]);
  });

  test('a component says what was fetched, from where, and where it is', () => {
    expect(document.components[1]).toEqual({
      type: 'library',
      'bom-ref': 'pkg:npm/%40s/a@1.0.0',
      name: '@s/a',
      version: '1.0.0',
      hashes: [
        { alg: 'MD5', content: hex(32) },
        { alg: 'SHA-1', content: hex(40) },
        { alg: 'SHA-256', content: hex(64) },
        { alg: 'SHA-384', content: hex(96) },
        { alg: 'SHA-512', content: hex(128) },
      ],
      licenses: [{ expression: '(MIT OR GPL-2.0+)' }],
      purl: 'pkg:npm/%40s/a@1.0.0',
      externalReferences: [{ type: 'distribution', url: 'https://npm.example/@s/a/-/a-1.0.0.tgz' }],
      properties: [
        { name: 'cdx:npm:package:development', value: 'true' },
        { name: 'stowage:found_by', value: 'stowage' },
        { name: 'stowage:npm:has-install-script', value: 'true' },
      ],
      evidence: {
        occurrences: [{ location: 'deps/npm/@s/a/s-a-1.0.0.tgz' }, { location: 'deps/npm/copy.tgz' }],
      },
    });
    expect(document.components[2].licenses).toEqual([{ license: { name: 'SEE LICENSE IN x' } }]);
    expect(document.components[4]).not.toHaveProperty('version');
  });
});

describe('SPDX 2.3', () => {
  const document = JSON.parse(spdx(subject));
  const byName = (name: string) => document.packages.find((one: { name: string }) => one.name === name);

  test('keeps the rules of the specification', () => {
    expect(spdxErrors(spdx(subject))).toEqual([]);
    expect(spdxErrors(spdx(sbomSubject([])))).toEqual([]);
  });

  test('the rules find what is wrong', () => {
    const broken = {
      ...document,
      documentNamespace: 'a#b',
      packages: [
        ...document.packages,
        { ...document.packages[1], SPDXID: 'SPDXRef-x_y', licenseDeclared: 'Foo Bar' },
      ],
      relationships: [
        ...document.relationships,
        {
          spdxElementId: 'SPDXRef-absent',
          relationshipType: 'LIKES',
          relatedSpdxElement: 'SPDXRef-DOCUMENT',
        },
      ],
    };
    expect(spdxErrors(JSON.stringify(broken))).toEqual([
      'documentNamespace',
      'the id SPDXRef-x_y has other characters',
      'app: the licence Foo Bar',
      'SPDXRef-absent is not in the document',
      'LIKES is no relationship',
      'SPDXRef-x_y is not reached from the document',
    ]);
  });

  test('has nothing of the clock in it', () => {
    expect(document.creationInfo).toEqual({ created: '2020-09-13T12:26:40Z', creators: ['Tool: stowage'] });
    expect(spdx(subject)).toBe(spdx(subject));
    const other = JSON.parse(spdx({ ...subject, identity: `sha256:${'2'.repeat(64)}` }));
    expect(other.documentNamespace).not.toBe(document.documentNamespace);
  });

  test('a package says what was fetched, from where, and where it is', () => {
    expect(byName('@s/a')).toMatchObject({
      versionInfo: '1.0.0',
      downloadLocation: 'https://npm.example/@s/a/-/a-1.0.0.tgz',
      licenseConcluded: 'NOASSERTION',
      licenseDeclared: '(MIT OR GPL-2.0+)',
      checksums: [
        { algorithm: 'MD5', checksumValue: hex(32) },
        { algorithm: 'SHA1', checksumValue: hex(40) },
        { algorithm: 'SHA256', checksumValue: hex(64) },
        { algorithm: 'SHA384', checksumValue: hex(96) },
        { algorithm: 'SHA512', checksumValue: hex(128) },
      ],
      packageFileName: 'deps/npm/@s/a/s-a-1.0.0.tgz',
      externalRefs: [
        {
          referenceCategory: 'PACKAGE-MANAGER',
          referenceType: 'purl',
          referenceLocator: 'pkg:npm/%40s/a@1.0.0',
        },
      ],
    });
    expect(byName('tool.bin')).toMatchObject({ primaryPackagePurpose: 'FILE' });
    expect(byName('fmt')).not.toHaveProperty('versionInfo');
  });

  test('a licence that is no SPDX expression, or names one of its own, is a comment', () => {
    expect(byName('b')).toMatchObject({
      licenseDeclared: 'NOASSERTION',
      licenseComments: 'SEE LICENSE IN x',
    });
    expect(byName('loose')).toMatchObject({
      licenseDeclared: 'NOASSERTION',
      licenseComments: 'LicenseRef-own',
    });
  });
});

describe('the root', () => {
  test.each<[repository: string | null, commit: string | null, name: string, purl: string]>([
    [
      'https://git.example/org/app.git',
      'c1',
      'app',
      'pkg:generic/app@c1?vcs_url=git%2Bhttps%3A%2F%2Fgit.example%2Forg%2Fapp.git%40c1',
    ],
    [
      'https://me:secret@git.example/app/',
      'c1',
      'app',
      'pkg:generic/app@c1?vcs_url=git%2Bhttps%3A%2F%2Fgit.example%2Fapp%2F%40c1',
    ],
    [
      'git+https://git.example/app',
      'c1',
      'app',
      'pkg:generic/app@c1?vcs_url=git%2Bhttps%3A%2F%2Fgit.example%2Fapp%40c1',
    ],
    [
      'git@git.example:org/app.git',
      'c1',
      'app',
      'pkg:generic/app@c1?vcs_url=git%2Bssh%3A%2F%2Fgit%40git.example%2Forg%2Fapp.git%40c1',
    ],
    ['/home/me/app', 'c1', 'app', 'pkg:generic/app@c1'],
    ['file:///home/me/app', 'c1', 'app', 'pkg:generic/app@c1'],
    [null, null, 'source', 'pkg:generic/source@t1'],
  ])('of %s', (repository, commit, name, purl) => {
    const root = rootOf({ ...subject, repository, commit, sourceId: 't1' });
    expect(root).toMatchObject({ name, purl });
    expect(cycloneDxErrors(cycloneDx({ ...subject, repository, commit }))).toEqual([]);
  });
});
