import { DomainError, InvalidFileFormat } from '../errors.ts';
import type { Digest } from '../storage/blob-store.ts';
import type { BundleManifest } from './bundle-manifest.ts';
import { documentUuid } from './sbom/sbom-document.ts';
import { type Envelope, parseEnvelope, statementOf, verifyEnvelope } from './signing.ts';
import type { ProblemList } from './verify-bundle.ts';

// --- SBOM -----------------------------------------------------------------------------------------------------------

export interface VerifiedSbom {
  format: 'CycloneDX 1.6' | 'SPDX 2.3';
  components: number;
}

/**
 * Compares an SBOM with a manifest: it must have been made for this bundle, and every file that it names must be there
 * with the digest that it states. Throws InvalidFileFormat for something that is no SBOM of ours.
 */
export function verifySbom(
  text: string,
  manifest: BundleManifest,
  manifestDigest: Digest,
  problems: ProblemList,
): VerifiedSbom {
  const { format, identity, components } = readSbom(text);
  const expected = `urn:uuid:${documentUuid(`${format === 'SPDX 2.3' ? 'spdx' : 'cyclonedx'} ${manifestDigest}`)}`;
  if (identity !== expected) {
    problems.add('checksum-mismatch', 'SBOM', 'was made for another bundle', expected, identity);
  }
  const digests = new Map(manifest.entries.map((entry) => [entry.path, entry.digest]));
  for (const { name, sha256, paths } of components) {
    const absent = paths.filter((path) => digests.get(path) === undefined);
    for (const path of absent)
      problems.add('checksum-mismatch', path, `is not in the bundle, but in the SBOM (${name})`);
    if (sha256 === null || absent.length > 0 || paths.length === 0) continue;
    const actual = paths.map((path) => digests.get(path)!);
    if (!actual.includes(`sha256:${sha256}`)) {
      problems.add(
        'checksum-mismatch',
        paths[0]!,
        'has another digest in the SBOM',
        `sha256:${sha256}`,
        actual[0],
      );
    }
  }
  return { format, components: components.length };
}

interface FetchedComponent {
  name: string;
  sha256: string | null;
  paths: string[];
}

interface CycloneDxDocument {
  bomFormat?: unknown;
  specVersion?: unknown;
  serialNumber?: unknown;
  components?: {
    name?: unknown;
    hashes?: { alg?: unknown; content?: unknown }[];
    evidence?: { occurrences?: { location?: unknown }[] };
  }[];
}

interface SpdxDocument {
  spdxVersion?: unknown;
  documentNamespace?: unknown;
  packages?: {
    name?: unknown;
    packageFileName?: unknown;
    checksums?: { algorithm?: unknown; checksumValue?: unknown }[];
  }[];
}

function readSbom(text: string): {
  format: VerifiedSbom['format'];
  identity: string;
  components: FetchedComponent[];
} {
  try {
    const document = JSON.parse(text) as CycloneDxDocument & SpdxDocument;
    if (document.bomFormat === 'CycloneDX' && document.specVersion === '1.6') return readCycloneDx(document);
    if (document.spdxVersion === 'SPDX-2.3') return readSpdx(document);
  } catch (cause) {
    throw new InvalidFileFormat('unexpected-format', 'The SBOM cannot be read', { cause });
  }
  throw new InvalidFileFormat('unexpected-format', 'The SBOM is neither CycloneDX 1.6 nor SPDX 2.3');
}

function readCycloneDx({ serialNumber, components = [] }: CycloneDxDocument): ReturnType<typeof readSbom> {
  return {
    format: 'CycloneDX 1.6',
    identity: String(serialNumber),
    components: components.map(({ name, hashes = [], evidence }) => ({
      name: String(name),
      sha256: textOrNull(hashes.find(({ alg }) => alg === 'SHA-256')?.content),
      paths: (evidence?.occurrences ?? []).map(({ location }) => String(location)),
    })),
  };
}

function readSpdx({ documentNamespace, packages = [] }: SpdxDocument): ReturnType<typeof readSbom> {
  return {
    format: 'SPDX 2.3',
    identity: String(documentNamespace),
    components: packages.map(({ name, checksums = [], packageFileName }) => ({
      name: String(name),
      sha256: textOrNull(checksums.find(({ algorithm }) => algorithm === 'SHA256')?.checksumValue),
      paths: packageFileName === undefined ? [] : [String(packageFileName)],
    })),
  };
}

function textOrNull(value: unknown): string | null {
  return value === undefined ? null : String(value);
}

// --- provenance -----------------------------------------------------------------------------------------------------

/** Digests of what lies here, by the names that the provenance has for them; absent: not looked at. */
export type SubjectDigests = Partial<Record<SubjectName, Digest>>;

type SubjectName =
  | 'bundle.tar'
  | 'bundle.tar.gz'
  | 'bundle.manifest.json'
  | 'bundle.sbom.cyclonedx.json'
  | 'bundle.sbom.spdx.json';

export interface VerificationKey {
  /** PEM. */
  publicKey: string;
  keyId: string;
  /** False: the key of this installation, which need not be that of the bundle. */
  isRequired: boolean;
}

export interface VerifiedProvenance {
  /** Whether a signature of the key was checked. Without it, the digests were compared all the same. */
  signature: 'verified' | 'not verified';
  /** Of whoever signed, as the envelope says. */
  keyIds: string[];
}

const STATEMENT = 'https://in-toto.io/Statement/v1';
const PREDICATE = 'https://slsa.dev/provenance/v1';

/**
 * Compares the signed provenance (one DSSE envelope a line) with what lies here. Throws InvalidFileFormat for something
 * that is no provenance of a bundle.
 */
export function verifyProvenance(
  text: string,
  digests: SubjectDigests,
  key: VerificationKey | null,
  problems: ProblemList,
): VerifiedProvenance {
  const envelopes = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(parseEnvelope);
  const provenances = envelopes.filter((envelope) => isProvenance(statementOf(envelope)));
  if (provenances.length === 0) {
    throw new InvalidFileFormat(
      'unexpected-format',
      'There is no SLSA provenance in the file of attestations',
    );
  }
  const keyIds = [...new Set(provenances.flatMap(({ signatures }) => signatures.map(({ keyid }) => keyid)))];
  const signed = key === null ? [] : provenances.filter((envelope) => isSigned(envelope, key));
  const isVerified = signed.length > 0;
  if (!isVerified && key !== null && (key.isRequired || keyIds.includes(key.keyId))) {
    problems.add('checksum-mismatch', 'provenance', 'is not signed by the key', key.keyId, keyIds.join(', '));
  }
  for (const { signatures } of signed) {
    // Signers may leave the name of their key out; this installation never does.
    const isNamed = signatures.some(({ keyid }) => keyid === key?.keyId || (keyid === '' && key?.isRequired));
    if (!isNamed) {
      const named = signatures.map(({ keyid }) => keyid).join(', ');
      problems.add('checksum-mismatch', 'provenance', 'names another key than its own', key?.keyId, named);
    }
  }
  for (const envelope of isVerified ? signed : provenances) {
    compareSubjects(statementOf(envelope) as Statement, digests, problems);
  }
  return { signature: isVerified ? 'verified' : 'not verified', keyIds };
}

interface Statement {
  _type: string;
  predicateType: string;
  subject: { name: string; digest: { sha256: string } }[];
}

function isProvenance(statement: object): statement is Statement {
  const { _type, predicateType, subject } = statement as Partial<Statement>;
  return (
    _type === STATEMENT &&
    predicateType === PREDICATE &&
    Array.isArray(subject) &&
    subject.every((one) => typeof one?.name === 'string' && typeof one.digest?.sha256 === 'string')
  );
}

function isSigned(envelope: Envelope, key: VerificationKey): boolean {
  try {
    verifyEnvelope(envelope, key.publicKey);
    return true;
  } catch (error) {
    if (error instanceof DomainError) return false;
    throw error;
  }
}

function compareSubjects({ subject }: Statement, digests: SubjectDigests, problems: ProblemList): void {
  for (const [name, actual] of Object.entries(digests)) {
    const expected = subject.find((one) => one.name === name)?.digest.sha256;
    if (expected === undefined) problems.add('checksum-mismatch', name, 'is not named by the provenance');
    else if (`sha256:${expected}` !== actual) {
      problems.add(
        'checksum-mismatch',
        name,
        'has another digest in the provenance',
        `sha256:${expected}`,
        actual,
      );
    }
  }
}
