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
  files: BundleFile[];
  links?: BundleLink[];
  directories: string[];
  sourceChanges: SourceChange[];
  offline: ConsumerSetup;
  registry: ConsumerSetup;
  components: SbomComponent[];
  tools: Record<string, string>;
}

const LARGEST = 1024 ** 3;

/** As JSON has no bytes. */
interface StoredSetup {
  environment: EnvironmentVariable[];
  configurationFiles: { path: string; base64: string }[];
}

export async function writeStepResult(blobs: BlobStore, result: StepResult): Promise<StoredBlob> {
  const text = JSON.stringify({
    ...result,
    offline: storedSetup(result.offline),
    registry: storedSetup(result.registry),
  });
  return await blobs.write(Buffer.from(text));
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
