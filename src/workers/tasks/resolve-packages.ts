import { recordPackages } from '../../domain/bundle-requests/record-packages.ts';
import { writeStepResult } from '../../domain/bundle-requests/step-result.ts';
import type { ConsumerSetup, EnvironmentVariable } from '../../domain/bundles/bundle-file.ts';
import { ValidationError } from '../../domain/errors.ts';
import { openSnapshot } from '../../domain/sources/source-snapshot.ts';
import type { StoredBlob } from '../../domain/storage/blob-store.ts';
import { inSpan } from '../../domain/tracing/span.ts';
import type { Resolution, ResolveContext } from '../ecosystems/ecosystem.ts';
import { ecosystems } from '../ecosystems/ecosystems.ts';
import type { StepContext } from './step-task.ts';

/** Everything that one package manager needs: fetched, verified, reported. */
export async function resolvePackages(context: StepContext): Promise<void> {
  const { request, step, worker, services, blobs, log, progress } = context;
  const manager = step.packageManager!;
  const ecosystem = ecosystems.get(manager);
  if (!ecosystem)
    throw new ValidationError('unsupported-feature', `${manager} is not supported in this release`);

  const snapshot = await services.snapshotOf(request);
  const source = await openSnapshot(blobs, snapshot);
  const artifacts = services.artifacts(context);
  const work: ResolveContext = {
    request: {
      id: String(request.id),
      repository: request.repository,
      commit: request.commit,
      flags: new Set(request.flags),
      dependencyReplacements: request.dependencyReplacements,
      rules: request.rules,
      strictIntegrity: request.strictIntegrity,
    },
    packages: request.packages[manager] ?? [{ path: '.' }],
    source,
    artifacts,
    git: services.gitTrees(context),
    blobs,
    settings: worker.settings,
    log,
    progress,
    foresee: (work) => services.bundlesAhead.begin(context, { tree: source, snapshot }, work),
    signal: context.signal,
    temporaryDirectory: context.temporaryDirectory,
  };
  const resolving = inSpan(`resolve ${manager}`, {}, () => ecosystem.resolve(work));
  const resolved = await resolving.catch((error: unknown) => {
    services.bundlesAhead.drop(request.id);
    throw error;
  });
  const resolution =
    request.rules === 'cachito'
      ? withOperatorVariables(resolved, worker.settings.environmentVariables[manager] ?? [])
      : resolved;
  limitDependencies(resolution, worker.settings.limits.dependencies);

  const result = await writeStepResult(blobs, resolution);
  const named = uniqueBlobs([
    ...blobs.written,
    ...resolution.files,
    ...changedFiles(resolution),
    result,
  ]).filter(({ digest }) => !artifacts.hasJustRecorded(digest));
  log.info(summary(resolution));
  await Promise.all([blobs.sync(named.map((blob) => blob.digest)), log.flush(), progress.finish()]);
  await inSpan('record packages', {}, () =>
    recordPackages(worker.database, context.lease, result.digest, named),
  );
}

/** In both forms; of the same name the operator's counts (cachito.md 7). A manager that had nothing to do has none. */
function withOperatorVariables(
  resolution: Resolution,
  variables: readonly EnvironmentVariable[],
): Resolution {
  if (resolution.packages.length === 0) return resolution;
  const names = new Set(variables.map(({ name }) => name));
  const merged = (setup: ConsumerSetup): ConsumerSetup => ({
    ...setup,
    environment: [...setup.environment.filter(({ name }) => !names.has(name)), ...variables],
  });
  return { ...resolution, offline: merged(resolution.offline), registry: merged(resolution.registry) };
}

function limitDependencies(resolution: Resolution, most: number): void {
  const count = resolution.packages.reduce((sum, one) => sum + one.dependencies.length, 0);
  if (count > most) {
    throw new ValidationError(
      'invalid-lockfile',
      `The request has ${count} dependencies, more than the limit of ${most}`,
    );
  }
}

function changedFiles(resolution: Resolution): StoredBlob[] {
  return resolution.sourceChanges.flatMap((change) => (change.kind === 'write' ? [change.file] : []));
}

function uniqueBlobs(blobs: readonly StoredBlob[]): StoredBlob[] {
  return [...new Map(blobs.map(({ digest, size, crc32 }) => [digest, { digest, size, crc32 }])).values()];
}

function summary(resolution: Resolution): string {
  const dependencies = resolution.packages.reduce((sum, one) => sum + one.dependencies.length, 0);
  const bytes = resolution.files.reduce((sum, file) => sum + file.size, 0);
  return `packages: ${resolution.packages.length}, dependencies: ${dependencies}, files: ${resolution.files.length}, bytes: ${bytes}`;
}
