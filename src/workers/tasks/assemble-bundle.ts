import { recordBundle } from '../../domain/bundle-requests/record-bundle.ts';
import type { StepResult } from '../../domain/bundle-requests/step-result.ts';
import { readStepResult } from '../../domain/bundle-requests/step-result.ts';
import { assembleBundle as assemble } from '../../domain/bundles/assemble-bundle.ts';
import { writeDocuments } from '../../domain/bundles/documents.ts';
import { mergeComponents } from '../../domain/bundles/sbom/merge-components.ts';
import { findSteps } from '../../domain/database/sql/bundle-request-rows.ts';
import { findBundle } from '../../domain/database/sql/find-bundle.ts';
import { sourceMemberCache } from '../../domain/database/sql/source-members.ts';
import { reportPackages } from '../../domain/packages/reported-packages.ts';
import { openSnapshot } from '../../domain/sources/source-snapshot.ts';
import type { StepContext } from './step-task.ts';

/** Puts together what the package managers found: the bundle, its SBOMs and its provenance. */
export async function assembleBundle(context: StepContext): Promise<void> {
  const { request, worker, services, blobs, log, signal } = context;
  const results = await resultsOf(context);
  const packages = reportPackages(results.flatMap((result) => result.packages));
  const components = mergeComponents(results.flatMap((result) => result.components));
  const source = await openSnapshot(blobs, await services.snapshotOf(request));
  const environment = results.flatMap((result) => result.offline.environment);
  const configurationFiles = results.flatMap((result) => result.offline.configurationFiles);

  const bundle = await assemble({
    blobs,
    source,
    sourceChanges: results.flatMap((result) => result.sourceChanges),
    files: results.flatMap((result) => result.files),
    directories: results.flatMap((result) => result.directories),
    setup: { environment, configurationFiles },
    sourceMembers: sourceMemberCache(worker.database.sql),
    known: (manifestDigest) => findBundle(worker.database.sql, manifestDigest),
    limits: worker.settings.limits,
    signal,
  });
}

async function resultsOf({ worker, request, blobs }: StepContext): Promise<StepResult[]> {
  const steps = await findSteps(worker.database.sql, request.id);
  const digests = steps.flatMap((step) => (step.resultDigest === null ? [] : [step.resultDigest]));
  return await Promise.all(digests.map((digest) => readStepResult(blobs, digest)));
}
