import type {
  BundleFile,
  BundleLink,
  ConsumerSetup,
  EnvironmentVariable,
  SourceChange,
} from '../bundles/bundle-file.ts';
import type { SbomComponent } from '../bundles/sbom-component.ts';
import type { ResolvedPackage } from '../packages/package.ts';
import type { BlobStore, Digest, StoredBlob } from '../storage/blob-store.ts';

/** What one package manager found, kept as a blob between its step and the assembly. */
export interface StepResult {
  packages: ResolvedPackage[];
  /** Files below `deps/`. */
  files: BundleFile[];
  /** Symbolic links below `deps/`. */
  links?: BundleLink[];
  /** Directories that must exist even when empty, e.g. `deps/npm`. */
  directories: string[];
  sourceChanges: SourceChange[];
  offline: ConsumerSetup;
  /** Addresses and passwords are placeholders: src/domain/package-registries/registry-address.ts. */
  registry: ConsumerSetup;
  /** One row for each package and dependency; see the type for the graph. */
  components: SbomComponent[];
  /** Facts for provenance, e.g. `{ go: '1.26.1' }`. */
  tools: Record<string, string>;
}

const LARGEST = 1024 ** 3;

/** As JSON has no bytes. */
interface StoredSetup {
  environment: EnvironmentVariable[];
  configurationFiles: { path: string; base64: string }[];
}

/** The caller syncs it. */
export async function writeStepResult(blobs: BlobStore, result: StepResult): Promise<StoredBlob> {
  const text = JSON.stringify({
    ...result,
    offline: storedSetup(result.offline),
    registry: storedSetup(result.registry),
  });
  return await blobs.write(Buffer.from(text), { durability: 'batch' });
}

export async function readStepResult(blobs: BlobStore, digest: Digest): Promise<StepResult> {
  const parsed = JSON.parse((await blobs.readWhole(digest, LARGEST)).toString('utf8')) as Omit<
    StepResult,
    'offline' | 'registry'
  > & { offline: StoredSetup; registry: StoredSetup };
  return { ...parsed, offline: readSetup(parsed.offline), registry: readSetup(parsed.registry) };
}

function storedSetup({ environment, configurationFiles }: ConsumerSetup): StoredSetup {
  return {
    environment,
    configurationFiles: configurationFiles.map(({ path, content }) => ({
      path,
      base64: content.toString('base64'),
    })),
  };
}

function readSetup({ environment, configurationFiles }: StoredSetup): ConsumerSetup {
  return {
    environment,
    configurationFiles: configurationFiles.map(({ path, base64 }) => ({
      path,
      content: Buffer.from(base64, 'base64'),
    })),
  };
}
