import type { BundleFacts } from '../database/sql/find-bundle.ts';
import { publicVcsUrl } from '../sources/public-url.ts';
import type { Digest } from '../storage/blob-store.ts';

/** Says how an image was built; documented in docs/images.md. */
export const IMAGE_BUILD_TYPE = 'https://stowage.example/build-types/image-build/v1';
export const PROVENANCE_PREDICATE = 'https://slsa.dev/provenance/v1';
export const CYCLONEDX_PREDICATE = 'https://cyclonedx.org/bom';

/** Under this name an image's provenance lists the bundle that it was built from, as the bundle's own does. */
export const BUNDLE_MANIFEST = 'bundle.manifest.json';
export const BUNDLE_SBOM = 'bundle.sbom.cyclonedx.json';
export const SOURCE = 'source';
export const SBOM = 'CycloneDX SBOM';
export const BASE_IMAGE = 'base image';

/** What an image was built from. */
export type BuiltFrom =
  | PlainSource
  /** `source`: what the bundle's own source was. */
  | { kind: 'bundle'; bundle: BundleFacts; source: PlainSource | null };

export type PlainSource =
  | { kind: 'upload'; digest: Digest }
  /** `ref` as asked for. */
  | { kind: 'git'; repository: string; ref: string | null; commit: string };

export interface ImageFacts {
  /** Path in the registry, without a tag. */
  name: string;
  digest: Digest;
  from: BuiltFrom;
  parameters: {
    dockerfile: string;
    target: string | null;
    buildArguments: Readonly<Record<string, string>>;
    labels: Readonly<Record<string, string>>;
    platform: string | null;
    /** Whether the steps had no network. */
    isHermetic: boolean;
    /** Never their values. */
    secretIds: readonly string[];
  };
  baseImages: readonly { name: string; digest: Digest }[];
  /** What did the work, and what did it for whom. */
  tool: { name: string; version: string };
  builder: { id: string; version: string };
  sbom: { digest: Digest } | null;
  invocationId: string;
  startedOn: Date;
  finishedOn: Date;
}

/** An in-toto statement with SLSA provenance v1 about an image (prefetch.md 15). */
export function imageProvenance(facts: ImageFacts): object {
  const { parameters, tool, builder } = facts;
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [subject(facts)],
    predicateType: PROVENANCE_PREDICATE,
    predicate: {
      buildDefinition: {
        buildType: IMAGE_BUILD_TYPE,
        externalParameters: {
          source: requestedSource(facts.from),
          dockerfile: parameters.dockerfile,
          target: parameters.target,
          build_arguments: parameters.buildArguments,
          labels: parameters.labels,
          platform: parameters.platform,
          secrets: parameters.secretIds,
          hermetic: parameters.isHermetic,
        },
        internalParameters: { tools: { [tool.name]: tool.version } },
        resolvedDependencies: [
          ...sourceDescriptors(facts.from),
          ...facts.baseImages.map(({ name, digest }) => ({ ...descriptor(BASE_IMAGE, digest), uri: name })),
          ...(facts.sbom === null
            ? []
            : [{ ...descriptor(SBOM, facts.sbom.digest), mediaType: 'application/vnd.cyclonedx+json' }]),
        ],
      },
      runDetails: {
        builder: { id: builder.id, version: { stowage: builder.version } },
        metadata: {
          invocationId: facts.invocationId,
          startedOn: facts.startedOn.toISOString(),
          finishedOn: facts.finishedOn.toISOString(),
        },
      },
    },
  };
}

/** The same about an SBOM: the dependencies of the image's source. */
export function imageSbom(facts: Pick<ImageFacts, 'name' | 'digest'>, bom: object): object {
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [subject(facts)],
    predicateType: CYCLONEDX_PREDICATE,
    predicate: bom,
  };
}

function subject({ name, digest }: Pick<ImageFacts, 'name' | 'digest'>): object {
  return { name, digest: sha256(digest) };
}

function requestedSource(from: BuiltFrom): object {
  switch (from.kind) {
    case 'upload':
      return { upload: from.digest };
    case 'git':
      return { repository: publicVcsUrl(from.repository), ref: from.ref };
    case 'bundle':
      return { bundle: from.bundle.manifestDigest };
  }
}

function sourceDescriptors(from: BuiltFrom): object[] {
  switch (from.kind) {
    case 'upload':
      return [descriptor(SOURCE, from.digest)];
    case 'git': {
      const url = publicVcsUrl(from.repository);
      const uri = url === null ? {} : { uri: `git+${url}@${from.commit}` };
      return [{ name: SOURCE, ...uri, digest: { gitCommit: from.commit } }];
    }
    case 'bundle': {
      const { manifestDigest, tarDigest } = from.bundle;
      return [
        ...(from.source === null ? [] : sourceDescriptors(from.source)),
        descriptor(BUNDLE_MANIFEST, manifestDigest),
        descriptor('bundle.tar', tarDigest),
      ];
    }
  }
}

function descriptor(name: string, digest: Digest): { name: string; digest: object } {
  return { name, digest: sha256(digest) };
}

function sha256(digest: Digest): object {
  return { sha256: digest.slice('sha256:'.length) };
}
