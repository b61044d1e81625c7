import type { BundleRequest } from '../bundle-requests/bundle-request.ts';
import { type Envelope, parseEnvelope, type Signer } from '../bundles/signing.ts';
import { addImageBlob } from '../database/sql/image-blobs.ts';
import { SYSTEM } from '../identity/principal.ts';
import { PREDICATE_TYPE } from '../registry/attached-sboms.ts';
import { parseImageName } from '../registry/image-name.ts';
import { findManifest } from '../registry/manifests.ts';
import { type PushedImage, requirePushAccess } from '../registry/push-access.ts';
import { putManifest } from '../registry/put-manifest.ts';
import { addressOf } from '../registry/reference.ts';
import type { Registry } from '../registry/registry.ts';
import type { BlobStore, Digest } from '../storage/blob-store.ts';
import { digestOf } from '../storage/digest-of.ts';
import {
  CYCLONEDX_PREDICATE,
  type ImageFacts,
  imageProvenance,
  imageSbom,
  PROVENANCE_PREDICATE,
} from './build-statements.ts';

/** An attestation that lies in the registry as a referrer of an image. */
export interface Attestation {
  /** Of the manifest that refers to the image. */
  digest: Digest;
  predicateType: string;
}

/** Of the artifact, and of its one layer: a DSSE envelope as JSON. */
export const ENVELOPE_TYPE = 'application/vnd.dsse.envelope.v1+json';

/** What is known of the source of an image: the documents of its bundle, or an SBOM (CycloneDX, as text) of its own. */
export type SourceDocuments = Pick<BundleRequest, 'cyclonedxDigest' | 'provenanceDigest'> | { sbom: string };

/**
 * Signs what is known about an image that a build has pushed, and attaches it as OCI referrers, before the build counts as
 * succeeded: SBOM of the source's dependencies, SLSA provenance, and the provenance of the bundle, if it was built from one, so
 * that the chain image → bundle → commit can be checked wherever the image is copied with them. Like any push: blobs first,
 * then the manifest that names them. Once more, it attaches the same again under another time.
 */
export async function attachAttestations(
  registry: Registry,
  signer: Signer,
  facts: Omit<ImageFacts, 'sbom'>,
  source: SourceDocuments,
): Promise<Attestation[]> {
  const image = parseImageName(facts.name, registry.settings);
  const access = await requirePushAccess(registry, SYSTEM, image);
  const subject = await findManifest(registry, SYSTEM, image, { address: facts.digest });
  const { sbom, provenance } = await documentsOf(registry.blobs, source);
  const statements: [string, Envelope][] = [];
  if (sbom) statements.push([CYCLONEDX_PREDICATE, signer.sign(imageSbom(facts, sbom.document))]);
  statements.push([PROVENANCE_PREDICATE, signer.sign(imageProvenance({ ...facts, sbom }))]);
  if (provenance) statements.push([PROVENANCE_PREDICATE, provenance]);

  const attached: Attestation[] = [];
  for (const [predicateType, envelope] of statements) {
    const digest = await attach(registry, access, subject, { predicateType, envelope });
    attached.push({ digest, predicateType });
  }
  return attached;
}

const LARGEST_DOCUMENT = 256 * 1024 * 1024;

async function documentsOf(
  blobs: BlobStore,
  source: SourceDocuments,
): Promise<{ sbom: { digest: Digest; document: object } | null; provenance: Envelope | null }> {
  const read = async (digest: Digest): Promise<string> =>
    (await blobs.readWhole(digest, LARGEST_DOCUMENT)).toString('utf8');
  if ('sbom' in source) {
    const { sbom } = source;
    return { sbom: { digest: digestOf(sbom), document: JSON.parse(sbom) as object }, provenance: null };
  }
  const { cyclonedxDigest, provenanceDigest } = source;
  return {
    sbom: cyclonedxDigest && {
      digest: cyclonedxDigest,
      document: JSON.parse(await read(cyclonedxDigest)) as object,
    },
    // One envelope a line; the first is the provenance.
    provenance: provenanceDigest && parseEnvelope((await read(provenanceDigest)).split('\n', 1)[0]!),
  };
}

const EMPTY_CONFIG = Buffer.from('{}');

async function attach(
  registry: Registry,
  { imageId, image }: PushedImage,
  subject: { mediaType: string; digest: Digest; size: number },
  { predicateType, envelope }: { predicateType: string; envelope: Envelope },
): Promise<Digest> {
  const layer = Buffer.from(JSON.stringify(envelope));
  for (const bytes of [EMPTY_CONFIG, layer]) {
    const blob = await registry.blobs.write(bytes);
    await addImageBlob(registry.database.sql, { imageId, blob, sha512: null, uploadId: null });
  }
  const annotations = { [PREDICATE_TYPE]: predicateType };
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      artifactType: ENVELOPE_TYPE,
      config: { mediaType: 'application/vnd.oci.empty.v1+json', ...described(EMPTY_CONFIG) },
      layers: [{ mediaType: ENVELOPE_TYPE, ...described(layer), annotations }],
      subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
      annotations,
    }),
  );
  const reference = { address: addressOf(bytes, 'sha256') };
  const { address } = await putManifest(registry, SYSTEM, image, {
    reference,
    tags: [],
    bytes,
    contentType: mediaType,
  });
  return address as Digest;
}

function described(bytes: Buffer): { digest: Digest; size: number } {
  return { digest: digestOf(bytes), size: bytes.length };
}
