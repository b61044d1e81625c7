import type {
  BundleFile,
  ConfigurationFile,
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
  directories: string[];
  sourceChanges: SourceChange[];
  offline: { environment: EnvironmentVariable[]; configurationFiles: ConfigurationFile[] };
  components: SbomComponent[];
  tools: Record<string, string>;
}

const LARGEST = 1024 ** 3;

export async function writeStepResult(blobs: BlobStore, result: StepResult): Promise<StoredBlob> {
  const { environment, configurationFiles } = result.offline;
  const text = JSON.stringify({
    ...result,
    offline: {
      environment,
      configurationFiles: configurationFiles.map(({ path, content }) => ({
        path,
        base64: content.toString('base64'),
      })),
    },
  });
  return await blobs.write(Buffer.from(text));
}

export async function readStepResult(blobs: BlobStore, digest: Digest): Promise<StepResult> {
  const parsed = JSON.parse((await blobs.readWhole(digest, LARGEST)).toString('utf8')) as Omit<
    StepResult,
    'offline'
  > & {
    offline: { environment: EnvironmentVariable[]; configurationFiles: { path: string; base64: string }[] };
  };
  const { environment, configurationFiles } = parsed.offline;
  return {
    ...parsed,
    offline: {
      environment,
      configurationFiles: configurationFiles.map(({ path, base64 }) => ({
        path,
        content: Buffer.from(base64, 'base64'),
      })),
    },
  };
}
