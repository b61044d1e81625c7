import { expect, test } from 'vitest';
import { purlsOfSbom } from '../../../src/domain/registry/sbom-purls.ts';

const CYCLONEDX = {
  bomFormat: 'CycloneDX',
  metadata: { component: { purl: 'pkg:oci/app@sha256%3Aabc' } },
  components: [
    {
      name: 'lodash',
      purl: 'pkg:npm/lodash@4.17.20',
      components: [{ purl: 'pkg:npm/%40angular/core@17.0.0' }],
    },
    { name: 'again', purl: 'pkg:npm/lodash@4.17.20' },
    { name: 'no purl' },
    { purl: 'lodash' },
    { purl: 7 },
    null,
  ],
};
const SPDX = {
  spdxVersion: 'SPDX-2.3',
  packages: [
    {
      externalRefs: [
        { referenceType: 'cpe23Type', referenceLocator: 'cpe:2.3:a:x' },
        { referenceType: 'purl', referenceLocator: 'pkg:pypi/Django@3.0' },
      ],
    },
    { externalRefs: 'none' },
  ],
};
const SPDX_3 = {
  '@graph': [
    { type: 'software_Package', software_packageUrl: 'pkg:golang/golang.org/x/net@v0.10.0' },
    { externalIdentifier: [{ externalIdentifierType: 'packageUrl', identifier: 'pkg:deb/debian/bash@5.2' }] },
  ],
};
const statement = (predicate: unknown) => ({ predicateType: 'https://example.org/sbom', predicate });
const envelope = (payload: unknown) => ({
  payloadType: 'application/vnd.in-toto+json',
  payload: Buffer.from(JSON.stringify(payload)).toString('base64'),
});

test.each([
  ['CycloneDX', CYCLONEDX, 'cyclonedx', ['pkg:npm/lodash@4.17.20', 'pkg:npm/%40angular/core@17.0.0']],
  ['SPDX 2', SPDX, 'spdx', ['pkg:pypi/django@3.0']],
  ['SPDX 3', SPDX_3, 'spdx', ['pkg:golang/golang.org/x/net@v0.10.0', 'pkg:deb/debian/bash@5.2']],
  ['a statement', statement(SPDX), 'spdx', ['pkg:pypi/django@3.0']],
  ['an envelope of a statement', envelope(statement(SPDX)), 'spdx', ['pkg:pypi/django@3.0']],
  ['no components', { bomFormat: 'CycloneDX' }, 'cyclonedx', []],
  ['components that are none', { bomFormat: 'CycloneDX', components: {} }, 'cyclonedx', []],
  ['a NUL', { bomFormat: 'CycloneDX', components: [{ purl: 'pkg:npm/a%00b@1' }] }, 'cyclonedx', []],
  [
    'too long a purl',
    { bomFormat: 'CycloneDX', components: [{ purl: `pkg:npm/${'a'.repeat(2_000)}` }] },
    'cyclonedx',
    [],
  ],
])('%s', (_name, document, format, purls) => {
  const contents = purlsOfSbom(document);
  expect(contents?.format).toBe(format);
  expect(contents?.purls.toSorted()).toEqual(purls.toSorted());
});

test.each([
  ['nothing', null],
  ['a text', 'SPDX-2.3'],
  ['something else', { name: 'package' }],
  ['envelopes without an end', envelope(envelope(envelope(envelope(SPDX))))],
])('%s is no SBOM', (_name, document) => {
  expect(purlsOfSbom(document)).toBe(null);
});
