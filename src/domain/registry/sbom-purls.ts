import { PackageURL } from 'packageurl-js';

type SbomFormat = 'cyclonedx' | 'spdx';

/** What an SBOM that somebody attached to an image says is in it. */
export interface SbomContents {
  format: SbomFormat;
  /** Of all packages that have one, each once, spelled as the specification of package URLs does. */
  purls: string[];
}

type JsonObject = Record<string, unknown>;

/**
 * CycloneDX, SPDX 2 and 3, as JSON; on their own, in an in-toto statement, or in an envelope of signatures around one (which
 * are not checked: what is attached is a claim of who pushed it). null: it is none of them.
 */
export function purlsOfSbom(document: unknown, wrappings = 2): SbomContents | null {
  for (const { format, recognizes, purls } of FORMATS) {
    if (isObject(document) && recognizes(document)) return { format, purls: canonical(purls(document)) };
  }
  const inner = isObject(document) && wrappings > 0 ? unwrapped(document) : null;
  return inner === null ? null : purlsOfSbom(inner, wrappings - 1);
}

const FORMATS: readonly {
  format: SbomFormat;
  recognizes(document: JsonObject): boolean;
  purls(document: JsonObject): Iterable<unknown>;
}[] = [
  {
    format: 'cyclonedx',
    recognizes: (document) => document.bomFormat === 'CycloneDX',
    purls: purlsOfCycloneDx,
  },
  {
    format: 'spdx',
    recognizes: (document) => typeof document.spdxVersion === 'string',
    purls: purlsOfSpdx,
  },
  {
    format: 'spdx',
    recognizes: (document) => Array.isArray(document['@graph']),
    purls: purlsOfSpdx3,
  },
];

/** Components may have components of their own. */
function* purlsOfCycloneDx(document: JsonObject): Iterable<unknown> {
  const waiting = objectsIn(document.components);
  for (let component = waiting.pop(); component; component = waiting.pop()) {
    yield component.purl;
    for (const inner of objectsIn(component.components)) waiting.push(inner);
  }
}

function* purlsOfSpdx(document: JsonObject): Iterable<unknown> {
  for (const one of objectsIn(document.packages)) {
    for (const reference of objectsIn(one.externalRefs)) {
      if (reference.referenceType === 'purl') yield reference.referenceLocator;
    }
  }
}

function* purlsOfSpdx3(document: JsonObject): Iterable<unknown> {
  for (const element of objectsIn(document['@graph'])) {
    yield element.software_packageUrl;
    for (const identifier of objectsIn(element.externalIdentifier)) {
      if (identifier.externalIdentifierType === 'packageUrl') yield identifier.identifier;
    }
  }
}

/** Statement of in-toto, envelope of DSSE. */
function unwrapped({ predicateType, predicate, payload, payloadType }: JsonObject): unknown {
  if (typeof predicateType === 'string' && predicate !== undefined) return predicate;
  if (typeof payloadType !== 'string' || typeof payload !== 'string') return null;
  return JSON.parse(Buffer.from(payload, 'base64').toString('utf8'));
}

/** Longer ones do not fit into an index. */
const LONGEST_PURL = 2_000;

function canonical(given: Iterable<unknown>): string[] {
  const purls = new Set<string>();
  for (const one of given) {
    if (typeof one !== 'string' || one.length > LONGEST_PURL) continue;
    const purl = canonicalPurl(one);
    if (purl !== null) purls.add(purl);
  }
  return [...purls];
}

function canonicalPurl(text: string): string | null {
  try {
    const purl = PackageURL.fromString(text);
    const parts = [purl.namespace, purl.name, purl.version, purl.subpath];
    if (parts.some((part) => part?.includes('\0') || part?.isWellFormed() === false)) return null;
    const canonicalText = purl.toString();
    return Buffer.byteLength(canonicalText) > LONGEST_PURL ? null : canonicalText;
  } catch {
    return null;
  }
}

function objectsIn(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
