import type { SbomComponent } from '../sbom-component.ts';
import { licenseOf } from './license.ts';
import { documentUuid, rootDependencies, rootOf, type SbomSubject, timestampOf } from './sbom-document.ts';

/** CycloneDX 1.6 (prefetch.md 13.2) as JSON text; the same subject gives the same bytes. */
export function cycloneDx(subject: SbomSubject): string {
  const root = rootOf(subject);
  const document = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${documentUuid(`cyclonedx ${subject.identity}`)}`,
    version: 1,
    metadata: {
      timestamp: timestampOf(subject),
      tools: { components: [{ type: 'application', name: 'stowage' }] },
      component: {
        type: 'application',
        'bom-ref': root.ref,
        name: root.name,
        version: root.version,
        purl: root.purl,
      },
      ...(subject.properties && subject.properties.length > 0 && { properties: subject.properties }),
    },
    components: subject.components.map(component),
    dependencies: [
      { ref: root.ref, dependsOn: rootDependencies(subject.components) },
      ...subject.components.map(({ ref, dependsOn }) => ({ ref, ...(dependsOn && { dependsOn }) })),
    ].sort((a, b) => (a.ref < b.ref ? -1 : a.ref > b.ref ? 1 : 0)),
  };
  return `${JSON.stringify(document, null, 1)}\n`;
}

const HASH_NAMES = {
  md5: 'MD5',
  sha1: 'SHA-1',
  sha256: 'SHA-256',
  sha384: 'SHA-384',
  sha512: 'SHA-512',
} as const;

function component(row: SbomComponent): object {
  const hashes = Object.entries(HASH_NAMES).flatMap(([algorithm, alg]) => {
    const content = row.hashes[algorithm as keyof typeof HASH_NAMES];
    return content === undefined ? [] : [{ alg, content }];
  });
  const properties = Object.entries({ 'stowage:found_by': 'stowage', ...row.properties })
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const occurrences = [...row.bundlePaths, ...(row.lockFiles ?? [])].map((location) => ({ location }));
  return {
    type: row.type,
    'bom-ref': row.ref,
    name: row.name,
    ...(row.version !== null && { version: row.version }),
    ...(hashes.length > 0 && { hashes }),
    ...(row.license !== undefined && { licenses: [licenseChoice(row.license)] }),
    purl: row.purl,
    ...(row.distributionUrl !== undefined && {
      externalReferences: [{ type: 'distribution', url: row.distributionUrl }],
    }),
    properties,
    ...(occurrences.length > 0 && { evidence: { occurrences } }),
  };
}

function licenseChoice(text: string): object {
  const license = licenseOf(text);
  return 'expression' in license ? license : { license };
}
