import type { BundleDocuments } from '../../domain/bundle-requests/record-bundle.ts';
import type { StepResult } from '../../domain/bundle-requests/step-result.ts';
import type { AssembledArchive } from '../../domain/bundles/assemble-bundle.ts';
import { contentManifestText, type ManifestedRequest } from '../../domain/bundles/content-manifest.ts';
import { type ProvenanceFacts, provenanceStatement } from '../../domain/bundles/provenance.ts';
import { cycloneDx } from '../../domain/bundles/sbom/cyclonedx.ts';
import type { SbomSubject } from '../../domain/bundles/sbom/sbom-document.ts';
import { spdx } from '../../domain/bundles/sbom/spdx.ts';
import type { SbomComponent } from '../../domain/bundles/sbom-component.ts';
import { DomainError } from '../../domain/errors.ts';
import type { ResolvedPackage } from '../../domain/packages/package.ts';
import type { SourceTree } from '../../domain/sources/source-tree.ts';
import type { Digest, StoredBlob } from '../../domain/storage/blob-store.ts';
import { digestOf } from '../../domain/storage/digest-of.ts';
import { version } from '../../domain/version.ts';
import { maskCredentials } from '../downloads/mask-credentials.ts';
import type { StepContext } from './step-task.ts';

/** Documents about a bundle, kept beside it: both SBOMs and the signed provenance that names all of them. Durable. */
export async function writeDocuments(
  context: StepContext,
  {
    bundle,
    source,
    results,
    packages,
    components,
  }: {
    bundle: AssembledArchive;
    source: SourceTree;
    results: readonly StepResult[];
    packages: readonly ResolvedPackage[];
    components: SbomComponent[];
  },
): Promise<BundleDocuments> {
  const { blobs, request } = context;
  const repository = request.repository === null ? null : maskCredentials(request.repository);
  const subject: SbomSubject = {
    identity: bundle.manifestDigest,
    repository,
    commit: request.commit,
    sourceId: source.treeId,
    time: source.time,
    components,
  };
  const written: StoredBlob[] = [];
  const write = async (text: string): Promise<Digest> => {
    const blob = await blobs.write(Buffer.from(text), { durability: 'batch' });
    written.push(blob);
    return blob.digest;
  };
  const cyclonedxDigest = await write(cycloneDx(subject));
  const spdxDigest = await write(spdx(subject));
  const statement = provenanceStatement({
    subjects: [
      { name: 'bundle.tar', digest: bundle.tarDigest },
      { name: 'bundle.tar.gz', digest: bundle.archiveDigest },
      { name: 'bundle.manifest.json', digest: bundle.manifestDigest },
      { name: 'bundle.sbom.cyclonedx.json', digest: cyclonedxDigest },
      { name: 'bundle.sbom.spdx.json', digest: spdxDigest },
    ],
    repository,
    ref: request.requestedRef,
    commit: request.commit,
    treeId: source.treeId,
    packages: request.packages,
    flags: request.flags,
    dependencyReplacements: request.dependencyReplacements,
    tools: Object.assign({}, ...results.map((result) => result.tools)) as Record<string, string>,
    components,
    sboms: [
      { name: 'CycloneDX SBOM', digest: cyclonedxDigest, mediaType: 'application/vnd.cyclonedx+json' },
      { name: 'SPDX SBOM', digest: spdxDigest, mediaType: 'application/spdx+json' },
    ],
    policy: { rules: request.rules, strictIntegrity: request.strictIntegrity },
    byproducts: [
      ...contentManifestOf({ repository, ref: request.commit ?? source.treeId, packages }, context),
      ...reproduciblePart(bundle),
    ],
    builder: { id: 'https://stowage.example/builders/worker', version },
    invocationId: `bundle-request/${request.id}/${request.attempt}`,
    startedOn: request.createdAt,
    finishedOn: new Date(),
  });
  const envelope = (await context.services.signer()).sign(statement);
  const provenance = await write(`${JSON.stringify(envelope)}\n`);
  await Promise.all([blobs.sync(written.map(({ digest }) => digest)), context.log.flush()]);
  return { cyclonedx: cyclonedxDigest, spdx: spdxDigest, provenance, blobs: written };
}

/** For who compares two bundles with git directories. */
function reproduciblePart({ reproducibleDigest: digest }: AssembledArchive): ProvenanceFacts['byproducts'] {
  if (digest === null) return [];
  return [{ name: 'bundle manifest without git directories', digest, mediaType: 'application/json' }];
}

/** As a byproduct of the provenance; without one when a dependency has no purl there. */
function contentManifestOf(request: ManifestedRequest, { log }: StepContext): ProvenanceFacts['byproducts'] {
  try {
    const digest = digestOf(contentManifestText([request]));
    return [{ name: 'content manifest', digest, mediaType: 'application/json' }];
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    log.warn(`there is no content manifest: ${error.message}`);
    return [];
  }
}
