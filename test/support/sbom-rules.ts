import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import { fullFormats } from 'ajv-formats/dist/formats.js';
import { PackageURL } from 'packageurl-js';
import parseExpression from 'spdx-expression-parse';

/** What is wrong with a CycloneDX 1.6 document: by its public schema, and by the rules that a schema cannot say. */
export function cycloneDxErrors(text: string): string[] {
  const document = JSON.parse(text) as CycloneDx;
  const validate = cycloneDxSchema();
  const errors = validate(document)
    ? []
    : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  if (!document.metadata.component) errors.push('there is no root component');
  const refs = [
    document.metadata.component?.['bom-ref'],
    ...document.components.map((one) => one['bom-ref']),
  ];
  errors.push(...repeated(refs).map((ref) => `the ref ${ref} is there twice`));
  const known = new Set(refs);
  const nodes = document.dependencies.map(({ ref }) => ref);
  errors.push(...repeated(nodes).map((ref) => `${ref} has its dependencies twice`));
  for (const { ref, dependsOn = [] } of document.dependencies) {
    for (const one of [ref, ...dependsOn]) if (!known.has(one)) errors.push(`${one} is not in the document`);
  }
  for (const ref of refs)
    if (!nodes.includes(ref ?? '')) errors.push(`${ref} has no dependencies, not even none`);
  for (const { purl, evidence, hashes = [] } of document.components) {
    errors.push(...purlErrors(purl));
    const isFetched = (evidence?.occurrences?.length ?? 0) > 0;
    if (isFetched && !hashes.some(({ alg }) => alg === 'SHA-256')) errors.push(`${purl} has no SHA-256`);
  }
  return errors;
}

/** What is wrong with an SPDX 2.3 document, by the specification's own words. */
export function spdxErrors(text: string): string[] {
  const document = JSON.parse(text) as Spdx;
  const errors: string[] = [];
  const require = (isSo: boolean, what: string): void => {
    if (!isSo) errors.push(what);
  };
  const { packages, relationships, creationInfo } = document;
  require(document.spdxVersion === 'SPDX-2.3', 'spdxVersion');
  require(document.dataLicense === 'CC0-1.0', 'dataLicense');
  require(document.SPDXID === 'SPDXRef-DOCUMENT', 'SPDXID');
  require(document.name !== '', 'name');
  require(/^[a-z][a-z0-9+.-]*:[^#\s]+$/.test(document.documentNamespace), 'documentNamespace');
  require(UTC.test(creationInfo.created), 'creationInfo.created');
  require(creationInfo.creators.length > 0, 'creationInfo.creators');
  for (const creator of creationInfo.creators)
    require(/^(Tool|Person|Organization): \S/.test(creator), creator);

  const ids = ['SPDXRef-DOCUMENT', ...packages.map(({ SPDXID }) => SPDXID)];
  errors.push(...repeated(ids).map((id) => `the id ${id} is there twice`));
  for (const id of ids) require(/^SPDXRef-[A-Za-z0-9.-]+$/.test(id), `the id ${id} has other characters`);
  for (const one of packages) errors.push(...packageErrors(one).map((what) => `${one.name}: ${what}`));

  const known = new Set(ids);
  for (const { spdxElementId, relatedSpdxElement, relationshipType } of relationships) {
    require(known.has(spdxElementId), `${spdxElementId} is not in the document`);
    require(known.has(relatedSpdxElement), `${relatedSpdxElement} is not in the document`);
    require(RELATIONSHIPS.has(relationshipType), `${relationshipType} is no relationship`);
  }
  const described = relationships.filter(({ relationshipType }) => relationshipType === 'DESCRIBES');
  require(described.length > 0, 'nothing is described');
  require(JSON.stringify(described.map((one) => one.relatedSpdxElement)) ===
    JSON.stringify(document.documentDescribes), 'documentDescribes says something else');
  const reached = reachable('SPDXRef-DOCUMENT', relationships);
  for (const id of ids) require(reached.has(id), `${id} is not reached from the document`);
  return errors;
}

// --- CycloneDX ------------------------------------------------------------------------------------------------------

interface CycloneDx {
  metadata: { component?: { 'bom-ref': string } };
  components: {
    'bom-ref': string;
    purl: string;
    hashes?: { alg: string }[];
    evidence?: { occurrences?: unknown[] };
  }[];
  dependencies: { ref: string; dependsOn?: string[] }[];
}

let compiled: ValidateFunction | null = null;

/** Closed (no unknown property passes), so that it is the strict one. */
function cycloneDxSchema(): ValidateFunction {
  if (compiled) return compiled;
  const entry = createRequire(import.meta.url).resolve('@cyclonedx/cyclonedx-library/package.json');
  const schema = (name: string): object =>
    JSON.parse(readFileSync(join(dirname(entry), 'res/schema', `${name}.SNAPSHOT.schema.json`), 'utf8'));
  const ajv = new Ajv({
    strict: false,
    allErrors: true,
    formats: { ...fullFormats, ...INTERNATIONAL_FORMATS },
  });
  for (const name of ['spdx', 'jsf-0.82']) ajv.addSchema(schema(name), `${BASE}${name}.SNAPSHOT.schema.json`);
  compiled = ajv.compile(schema('bom-1.6'));
  return compiled;
}

const BASE = 'http://cyclonedx.org/schema/';

/** Those that ajv-formats does not know; without blanks and quotes, everything is an IRI reference. */
const INTERNATIONAL_FORMATS = { 'iri-reference': /^[^\s"<>\\^`{|}]*$/, 'idn-email': /^\S+@\S+$/ };

// --- SPDX -----------------------------------------------------------------------------------------------------------

interface SpdxPackage {
  SPDXID: string;
  name: string;
  downloadLocation: string;
  filesAnalyzed: boolean;
  primaryPackagePurpose?: string;
  packageVerificationCode?: unknown;
  licenseConcluded?: string;
  licenseDeclared?: string;
  copyrightText?: string;
  packageFileName?: string;
  checksums?: { algorithm: string; checksumValue: string }[];
  externalRefs?: { referenceCategory: string; referenceType: string; referenceLocator: string }[];
  annotations?: { annotationType: string; annotator: string; annotationDate: string; comment: string }[];
}

interface SpdxRelationship {
  spdxElementId: string;
  relationshipType: string;
  relatedSpdxElement: string;
}

interface Spdx {
  SPDXID: string;
  spdxVersion: string;
  dataLicense: string;
  name: string;
  documentNamespace: string;
  documentDescribes: string[];
  creationInfo: { created: string; creators: string[] };
  packages: SpdxPackage[];
  relationships: SpdxRelationship[];
}

const UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const RELATIONSHIPS = new Set(['DESCRIBES', 'CONTAINS', 'DEPENDS_ON']);
const PURPOSES = new Set(['SOURCE', 'LIBRARY', 'FILE', 'APPLICATION']);
const CHECKSUM_LENGTHS: Record<string, number> = { MD5: 32, SHA1: 40, SHA256: 64, SHA384: 96, SHA512: 128 };

function packageErrors(one: SpdxPackage): string[] {
  const errors: string[] = [];
  const require = (isSo: boolean, what: string): void => {
    if (!isSo) errors.push(what);
  };
  const { checksums = [], externalRefs = [], annotations = [] } = one;
  require(one.name !== '', 'name');
  require(one.downloadLocation === 'NOASSERTION' || URL.canParse(one.downloadLocation), 'downloadLocation');
  require(one.filesAnalyzed === false && one.packageVerificationCode === undefined, 'filesAnalyzed');
  require(PURPOSES.has(one.primaryPackagePurpose ?? ''), 'primaryPackagePurpose');
  for (const license of [one.licenseConcluded, one.licenseDeclared]) {
    require(isLicense(license ?? 'NOASSERTION'), `the licence ${license}`);
  }
  for (const { algorithm, checksumValue } of checksums) {
    const length = CHECKSUM_LENGTHS[algorithm] ?? 0;
    require(new RegExp(`^[0-9a-f]{${length}}$`).test(checksumValue) &&
      length > 0, `the checksum ${checksumValue}`);
  }
  require(one.packageFileName === undefined ||
    checksums.some(({ algorithm }) => algorithm === 'SHA256'), 'a file without SHA256');
  for (const { referenceCategory, referenceType, referenceLocator } of externalRefs) {
    require(referenceCategory === 'PACKAGE-MANAGER' && referenceType === 'purl', 'an external reference');
    errors.push(...purlErrors(referenceLocator));
  }
  for (const { annotationType, annotator, annotationDate, comment } of annotations) {
    require(annotationType === 'OTHER' && /^Tool: \S/.test(annotator), 'an annotation');
    require(UTC.test(annotationDate) && comment !== '', 'an annotation');
  }
  return errors;
}

function isLicense(text: string): boolean {
  if (text === 'NOASSERTION' || text === 'NONE') return true;
  // A reference needs a text in the document, and there are none.
  if (/LicenseRef-/i.test(text)) return false;
  try {
    parseExpression(text);
    return true;
  } catch {
    return false;
  }
}

function reachable(from: string, relationships: readonly SpdxRelationship[]): Set<string> {
  const reached = new Set([from]);
  for (const id of reached) {
    for (const one of relationships) if (one.spdxElementId === id) reached.add(one.relatedSpdxElement);
  }
  return reached;
}

// --- both -----------------------------------------------------------------------------------------------------------

function purlErrors(purl: string): string[] {
  try {
    PackageURL.fromString(purl);
    return [];
  } catch (error) {
    return [`${purl}: ${(error as Error).message}`];
  }
}

function repeated<T>(values: readonly T[]): T[] {
  return values.filter((value, at) => values.indexOf(value) !== at);
}
