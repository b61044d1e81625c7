import { type Envelope, statementOf, verifyEnvelope } from '../bundles/signing.ts';
import type { ProblemList } from '../bundles/verify-bundle.ts';
import { DomainError } from '../errors.ts';
import type { Digest } from '../storage/blob-store.ts';
import { digestOf } from '../storage/digest-of.ts';
import {
  BASE_IMAGE,
  BUNDLE_MANIFEST,
  BUNDLE_SBOM,
  CYCLONEDX_PREDICATE,
  IMAGE_BUILD_TYPE,
  PROVENANCE_PREDICATE,
  SBOM,
  SOURCE,
} from './build-statements.ts';

/** What is known about where an image comes from: image → bundle → commit, each link by digest and signature. */
export interface VerifiedChain {
  provenance: {
    /** Of the key that has signed. */
    keyId: string;
    builtFrom: 'bundle' | 'git' | 'upload';
    isHermetic: boolean;
    dockerfile: string;
    tools: Record<string, string>;
    baseImages: { name: string; digest: Digest }[];
    finishedOn: string;
  } | null;
  bundle: { manifestDigest: Digest; keyId: string } | null;
  source: { uri: string | null; commit: string | null; tree: string | null; digest: Digest | null } | null;
  sbom: { digest: Digest; components: number } | null;
}

export interface TrustedKey {
  /** PEM. */
  publicKey: string;
  keyId: string;
}

/**
 * Follows the chain of an image through what is attached to it. Statements that no key of these has signed are as good as
 * none. Whatever is missing or does not fit is a problem.
 */
export function verifyChain(
  image: Digest,
  envelopes: readonly Envelope[],
  keys: readonly TrustedKey[],
  problems: ProblemList,
): VerifiedChain {
  const signed = envelopes.flatMap((envelope) => signedStatement(envelope, keys));
  const provenance = newest(signed.filter((one) => isProvenanceOf(one.statement, image)));
  if (!provenance) {
    problems.add('checksum-mismatch', 'provenance', absence(envelopes, image));
    return { provenance: null, bundle: null, source: null, sbom: null };
  }
  const { externalParameters: asked = {} } = definitionOf(provenance.statement);
  const dependencies = dependenciesOf(provenance.statement);
  const own = dependencies.find(({ name }) => name === SOURCE) ?? null;
  const manifestDigest = digestNamed(dependencies, BUNDLE_MANIFEST);
  const bundle = manifestDigest === null ? null : verifyBundle(manifestDigest, signed, own, problems);
  return {
    provenance: {
      keyId: provenance.keyId,
      builtFrom: manifestDigest !== null ? 'bundle' : own?.digest?.gitCommit !== undefined ? 'git' : 'upload',
      isHermetic: asked.hermetic === true,
      dockerfile: String(asked.dockerfile),
      tools: definitionOf(provenance.statement).internalParameters?.tools ?? {},
      baseImages: dependencies.flatMap(({ name, uri, digest }) =>
        name === BASE_IMAGE ? [{ name: String(uri), digest: `sha256:${digest?.sha256}` as const }] : [],
      ),
      finishedOn: finishedOn(provenance.statement),
    },
    bundle: bundle && { manifestDigest: manifestDigest!, keyId: bundle.keyId },
    source: sourceOf(bundle?.source ?? own),
    sbom: verifySbom(image, digestNamed(dependencies, SBOM), bundle?.statement ?? null, signed, problems),
  };
}

// --- links ----------------------------------------------------------------------------------------------------------

interface SignedStatement {
  statement: Statement;
  keyId: string;
}

/** The bundle's own provenance, which names its commit. */
function verifyBundle(
  manifestDigest: Digest,
  signed: readonly SignedStatement[],
  source: Dependency | null,
  problems: ProblemList,
): (SignedStatement & { source: Dependency | null }) | null {
  const found = signed.find(
    ({ statement }) =>
      statement.predicateType === PROVENANCE_PREDICATE &&
      digestNamed(statement.subject, BUNDLE_MANIFEST) === manifestDigest,
  );
  if (!found) {
    const what = 'has no provenance here that the key has signed: where its source comes from is not proven';
    problems.add('checksum-mismatch', 'bundle', what, manifestDigest);
    return null;
  }
  const ofBundle = dependenciesOf(found.statement).find(({ name }) => name === SOURCE) ?? null;
  const expected = ofBundle?.digest?.gitCommit;
  const actual = source?.digest?.gitCommit;
  if (expected !== actual && source !== null) {
    problems.add(
      'checksum-mismatch',
      'source',
      'differs between image and bundle',
      expected ?? 'none',
      actual ?? 'none',
    );
  }
  return { ...found, source: ofBundle };
}

/** The SBOM must be the one that the provenance names, and that the bundle was published with. */
function verifySbom(
  image: Digest,
  named: Digest | null,
  bundle: Statement | null,
  signed: readonly SignedStatement[],
  problems: ProblemList,
): VerifiedChain['sbom'] {
  if (named === null) return null;
  const ofBundle = bundle === null ? named : digestNamed(bundle.subject, BUNDLE_SBOM);
  if (ofBundle !== named) {
    problems.add('checksum-mismatch', 'SBOM', "is not the bundle's", ofBundle ?? 'none', named);
  }
  const attached = signed.filter(
    ({ statement }) => statement.predicateType === CYCLONEDX_PREDICATE && isAbout(statement, image),
  );
  const digests = attached.map(({ statement }) => digestOf(bomText(statement.predicate)));
  const at = digests.indexOf(named);
  if (at < 0) {
    const what =
      digests.length === 0 ? 'is not attached, or not signed by the key' : 'has another digest than stated';
    problems.add('checksum-mismatch', 'SBOM', what, named, digests[0]);
    return null;
  }
  const { components } = attached[at]!.statement.predicate as { components?: unknown };
  return { digest: named, components: Array.isArray(components) ? components.length : 0 };
}

/** As Stowage writes SBOMs: the same document has the same bytes again. */
function bomText(bom: unknown): string {
  return `${JSON.stringify(bom, null, 1)}\n`;
}

function sourceOf(source: Dependency | null): VerifiedChain['source'] {
  if (source === null) return null;
  const { gitCommit = null, gitTree = null, sha256 } = source.digest ?? {};
  const digest: Digest | null = sha256 === undefined ? null : `sha256:${sha256}`;
  return { uri: source.uri ?? null, commit: gitCommit, tree: gitTree, digest };
}

function absence(envelopes: readonly Envelope[], image: Digest): string {
  const unsigned = envelopes.filter((envelope) => {
    const statement = readStatement(envelope);
    return statement !== null && isProvenanceOf(statement, image);
  });
  if (unsigned.length === 0) return 'is not attached to the image';
  const names = [
    ...new Set(unsigned.flatMap(({ signatures }) => signatures.map(({ keyid }) => keyid || 'unnamed'))),
  ];
  return `is not signed by the key, but by ${names.join(', ')}`;
}

// --- statements -----------------------------------------------------------------------------------------------------

interface Statement {
  _type: string;
  predicateType: string;
  subject: Dependency[];
  predicate: unknown;
}

interface Dependency {
  name?: string;
  uri?: string;
  digest?: Partial<Record<'sha256' | 'gitCommit' | 'gitTree', string>>;
}

interface Definition {
  buildType?: unknown;
  externalParameters?: Record<string, unknown>;
  internalParameters?: { tools?: Record<string, string> };
  resolvedDependencies?: unknown;
}

function signedStatement(envelope: Envelope, keys: readonly TrustedKey[]): SignedStatement[] {
  const statement = readStatement(envelope);
  const key = statement && keys.find((one) => isSignedBy(envelope, one));
  return key ? [{ statement, keyId: key.keyId }] : [];
}

function isSignedBy(envelope: Envelope, key: TrustedKey): boolean {
  try {
    verifyEnvelope(envelope, key.publicKey);
    return true;
  } catch (error) {
    if (error instanceof DomainError) return false;
    throw error;
  }
}

/** null: an attestation of another kind, which is none of our business. */
function readStatement(envelope: Envelope): Statement | null {
  try {
    const statement = statementOf(envelope) as Partial<Statement>;
    const isStatement =
      statement._type === 'https://in-toto.io/Statement/v1' &&
      typeof statement.predicateType === 'string' &&
      isObject(statement.predicate) &&
      areDescriptors(statement.subject);
    return isStatement ? (statement as Statement) : null;
  } catch (error) {
    if (error instanceof DomainError) return null;
    throw error;
  }
}

function isProvenanceOf(statement: Statement, image: Digest): boolean {
  return (
    statement.predicateType === PROVENANCE_PREDICATE &&
    definitionOf(statement).buildType === IMAGE_BUILD_TYPE &&
    isAbout(statement, image)
  );
}

function isAbout({ subject }: Statement, image: Digest): boolean {
  return subject.some(({ digest }) => `sha256:${digest?.sha256}` === image);
}

/** Of several runs with the same outcome. */
function newest(found: readonly SignedStatement[]): SignedStatement | null {
  const [latest = null] = [...found].sort((a, b) =>
    finishedOn(a.statement) < finishedOn(b.statement) ? 1 : -1,
  );
  return latest;
}

function finishedOn({ predicate }: Statement): string {
  const { runDetails } = predicate as { runDetails?: { metadata?: { finishedOn?: unknown } } };
  return String(runDetails?.metadata?.finishedOn ?? '');
}

function definitionOf({ predicate }: Statement): Definition {
  const { buildDefinition } = predicate as { buildDefinition?: unknown };
  return isObject(buildDefinition) ? (buildDefinition as Definition) : {};
}

function dependenciesOf(statement: Statement): Dependency[] {
  const { resolvedDependencies } = definitionOf(statement);
  return areDescriptors(resolvedDependencies) ? resolvedDependencies : [];
}

function digestNamed(descriptors: readonly Dependency[], name: string): Digest | null {
  const sha256 = descriptors.find((one) => one.name === name)?.digest?.sha256;
  return sha256 === undefined ? null : `sha256:${sha256}`;
}

function areDescriptors(value: unknown): value is Dependency[] {
  return Array.isArray(value) && value.every((one) => isObject(one) && isObject(one.digest ?? {}));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
