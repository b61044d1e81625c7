import type { SourcePlan } from '../../domain/bundle-requests/record-source.ts';
import { recordSource } from '../../domain/bundle-requests/record-source.ts';
import { InvalidRepoStructure } from '../../domain/errors.ts';
import { openSnapshot } from '../../domain/sources/source-snapshot.ts';
import type { SourceTree } from '../../domain/sources/source-tree.ts';
import { ecosystems } from '../ecosystems/ecosystems.ts';
import type { StepContext } from './step-task.ts';

/** The commit's tree (or the uploaded archive's) into the blob store, and what is in it that we can work on. */
export async function fetchSource(context: StepContext): Promise<void> {
  const { request, worker, services, blobs, log, progress } = context;
  const source =
    request.uploadId === null
      ? await services.fetchGitSource(context)
      : await services.unpackUpload(context, request.uploadId);
  for (const warning of source.warnings) log.warn(warning);
  const tree = await openSnapshot(blobs, source.snapshot);
  const plan = request.detect ? await detect(tree, context) : null;

  log.info(
    `source: commit ${source.commit ?? '(none)'}, tree ${source.treeId}, ${source.files} files, ${source.size} bytes`,
  );
  await log.flush();
  await progress.finish();
  const { commit, snapshot, files, size } = source;
  await recordSource(worker.database, context.lease, { commit, snapshot, files, size, plan }, blobs.written);
}

/** Asks every enabled package manager. Throws InvalidRepoStructure when none finds anything. */
async function detect(tree: SourceTree, { worker, log }: StepContext): Promise<SourcePlan> {
  const plan: SourcePlan = { packages: {}, evidence: {} };
  for (const [manager, ecosystem] of ecosystems) {
    if (!worker.settings.packageManagers.includes(manager)) continue;
    const found = await ecosystem.detect(tree);
    if (found.length === 0) continue;
    plan.packages[manager] = found.map((one) => one.options);
    plan.evidence[manager] = found.flatMap((one) => one.evidence);
    log.info(`${manager}: ${plan.evidence[manager].join(', ')}`);
  }
  if (Object.keys(plan.packages).length === 0) {
    throw new InvalidRepoStructure(
      'lockfile-not-found',
      'No lock file of a known package manager was found',
      {
        hint: 'Name the package managers and paths, or ask for the source only.',
      },
    );
  }
  return plan;
}
