import { createHash } from 'node:crypto';
import type { SbomComponent } from '../sbom-component.ts';
import { licenseOf } from './license.ts';
import { documentUuid, rootDependencies, rootOf, type SbomSubject, timestampOf } from './sbom-document.ts';

/** SPDX 2.3 (prefetch.md 13.2) as JSON text; the same subject gives the same bytes. */
export function spdx(subject: SbomSubject): string {
  const root = rootOf(subject);
  const ids = new Map(subject.components.map((component) => [component.ref, packageId(component.ref)]));
  const rootId = 'SPDXRef-Source';
  const created = timestampOf(subject);
  const own = new Set(subject.components.flatMap((one) => (one.isSourcePackage ? [one.ref] : [])));
  const document = {
    SPDXID: 'SPDXRef-DOCUMENT',
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    name: `${root.name}-${root.version}`,
    documentNamespace: `urn:uuid:${documentUuid(`spdx ${subject.identity}`)}`,
    creationInfo: { created, creators: ['Tool: stowage'] },
    documentDescribes: [rootId],
    packages: [
      {
        SPDXID: rootId,
        name: root.name,
        versionInfo: root.version,
        downloadLocation: 'NOASSERTION',
        filesAnalyzed: false,
        primaryPackagePurpose: 'SOURCE',
        externalRefs: [purlReference(root.purl)],
      },
      ...subject.components.map((component) => packageOf(component, ids.get(component.ref)!, created)),
    ],
    relationships: [
      relationship('SPDXRef-DOCUMENT', 'DESCRIBES', rootId),
      ...rootDependencies(subject.components).map((ref) =>
        relationship(rootId, own.has(ref) ? 'CONTAINS' : 'DEPENDS_ON', ids.get(ref)!),
      ),
      ...subject.components.flatMap((component) =>
        (component.dependsOn ?? []).flatMap((ref) => {
          const target = ids.get(ref);
          return target === undefined ? [] : [relationship(ids.get(component.ref)!, 'DEPENDS_ON', target)];
        }),
      ),
    ],
  };
  return `${JSON.stringify(document, null, 1)}\n`;
}

const HASH_NAMES = {
  md5: 'MD5',
  sha1: 'SHA1',
  sha256: 'SHA256',
  sha384: 'SHA384',
  sha512: 'SHA512',
} as const;

function packageOf(row: SbomComponent, id: string, created: string): object {
  const checksums = Object.entries(HASH_NAMES).flatMap(([algorithm, name]) => {
    const checksumValue = row.hashes[algorithm as keyof typeof HASH_NAMES];
    return checksumValue === undefined ? [] : [{ algorithm: name, checksumValue }];
  });
  const license = row.license === undefined ? null : licenseOf(row.license);
  const isDeclared = license !== null && 'expression' in license && !hasOwnReference(license.expression);
  const annotations = Object.entries(row.properties).map(([name, value]) => ({
    annotationType: 'OTHER',
    annotator: 'Tool: stowage',
    annotationDate: created,
    comment: JSON.stringify({ name, value }),
  }));
  return {
    SPDXID: id,
    name: row.name,
    ...(row.version !== null && { versionInfo: row.version }),
    downloadLocation: row.distributionUrl ?? 'NOASSERTION',
    filesAnalyzed: false,
    primaryPackagePurpose: row.type === 'file' ? 'FILE' : 'LIBRARY',
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: isDeclared ? license.expression : 'NOASSERTION',
    copyrightText: 'NOASSERTION',
    ...(license && !isDeclared && { licenseComments: row.license!.trim() }),
    ...(checksums.length > 0 && { checksums }),
    externalRefs: [purlReference(row.purl)],
    ...(row.bundlePaths.length > 0 && { packageFileName: row.bundlePaths[0] }),
    ...(annotations.length > 0 && { annotations }),
  };
}

/** A document that names a licence of its own must hold its text, which we do not have. */
function hasOwnReference(expression: string): boolean {
  return /LicenseRef-/i.test(expression);
}

function packageId(ref: string): string {
  return `SPDXRef-Package-${createHash('sha256').update(ref).digest('hex').slice(0, 32)}`;
}

function purlReference(purl: string): object {
  return { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl };
}

function relationship(from: string, relationshipType: string, to: string): object {
  return { spdxElementId: from, relationshipType, relatedSpdxElement: to };
}
