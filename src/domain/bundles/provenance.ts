import { publicVcsUrl } from '../sources/public-url.ts';
import type { Digest } from '../storage/blob-store.ts';
import type { SbomComponent } from './sbom-component.ts';

/** Says how a bundle was made; documented in docs/provenance.md. */
const BUILD_TYPE = 'https://stowage.example/build-types/bundle-request/v1';

interface Document {
  name: string;
  digest: Digest;
  mediaType: string;
}

export interface ProvenanceFacts {
  subjects: { name: string; digest: Digest }[];
  repository: string | null;
  /** As asked for. */
  ref: string | null;
  commit: string | null;
  treeId: string;
  packages: object;
  flags: readonly string[];
  dependencyReplacements: readonly object[];
  /** Tools that worked on it, e.g. go, with versions. */
  tools: Record<string, string>;
  /** What decided besides the parameters of the request. */
  policy: { rules: string; strictIntegrity: boolean };
  components: readonly SbomComponent[];
  sboms: Document[];
  /** Other documents that were made on the way. */
  byproducts: Document[];
  builder: { id: string; version: string };
  invocationId: string;
  startedOn: Date;
  finishedOn: Date;
}

/** An in-toto statement with SLSA provenance v1 (prefetch.md 15). Times and ids live here and nowhere in the bundle. */
export function provenanceStatement(facts: ProvenanceFacts): object {
  const { repository, ref, commit, treeId, packages, flags, dependencyReplacements } = facts;
  const vcsUrl = repository === null ? null : publicVcsUrl(repository);
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: facts.subjects.map(({ name, digest }) => ({ name, digest: { sha256: hex(digest) } })),
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: BUILD_TYPE,
        externalParameters: {
          repository,
          ref,
          packages,
          flags,
          dependency_replacements: dependencyReplacements,
        },
        internalParameters: {
          tools: facts.tools,
          policy: { rules: facts.policy.rules, strict_integrity: facts.policy.strictIntegrity },
        },
        resolvedDependencies: [
          {
            ...(vcsUrl !== null && { uri: `git+${vcsUrl}@${commit ?? ref}` }),
            name: 'source',
            digest: { ...(commit !== null && { gitCommit: commit }), gitTree: treeId },
          },
          ...facts.components
            .filter((component) => component.hashes.sha256 !== undefined)
            .map(resolvedDependency),
          ...facts.sboms.map(descriptor),
        ],
      },
      runDetails: {
        builder: { id: facts.builder.id, version: { stowage: facts.builder.version } },
        metadata: {
          invocationId: facts.invocationId,
          startedOn: facts.startedOn.toISOString(),
          finishedOn: facts.finishedOn.toISOString(),
        },
        byproducts: facts.byproducts.map(descriptor),
      },
    },
  };
}

function descriptor({ name, digest, mediaType }: Document): object {
  return { name, digest: { sha256: hex(digest) }, mediaType };
}

function resolvedDependency(component: SbomComponent): object {
  return {
    uri: component.purl,
    name: component.name,
    digest: component.hashes,
    ...(component.distributionUrl !== undefined && { downloadLocation: component.distributionUrl }),
  };
}

function hex(digest: Digest): string {
  return digest.slice('sha256:'.length);
}
