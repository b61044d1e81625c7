import type { SourcePlan } from '../../domain/bundle-requests/record-source.ts';
import { recordSource } from '../../domain/bundle-requests/record-source.ts';
import { writeStepResult } from '../../domain/bundle-requests/step-result.ts';
import { InvalidRepoStructure } from '../../domain/errors.ts';
import type { PackageManager } from '../../domain/packages/package.ts';
import type { SourceTree } from '../../domain/sources/source-tree.ts';
import type { Digest } from '../../domain/storage/blob-store.ts';
import { inSpan } from '../../domain/tracing/span.ts';
import { detectPackages } from '../ecosystems/detect-packages.ts';
import { ecosystems } from '../ecosystems/ecosystems.ts';
import type { FetchedSourceTree } from '../sources/fetched-source.ts';
import { storeGitDirectories } from './git-directories.ts';
import type { StepContext } from './step-task.ts';

/** The commit's tree (or the uploaded archive's) into the blob store, and what is in it that we can work on. */
export async function fetchSource(context: StepContext): Promise<void> {
  const { request, worker, blobs, log, progress } = context;
  const named = await fetch(context, request.packageManagers.includes('git-submodule'));
  const plan = request.detect ? await inSpan('detect packages', {}, () => detect(named.tree, context)) : null;
  const source = plan?.packages['git-submodule'] ? await fetch(context, true) : named;
  for (const warning of source.warnings) log.warn(warning);

  log.info(
    `source: commit ${source.commit ?? '(none)'}, tree ${source.treeId}, ${source.files} files, ${source.size} bytes`,
  );
  const result = request.flags.includes('include-git-dir') ? await gitDirectories(context, source) : null;
  await Promise.all([blobs.sync(blobs.written.map(({ digest }) => digest)), log.flush(), progress.finish()]);
  const { commit, snapshot, files, size } = source;
  const idle = idleManagers(source.tree, context);
  const fetched = { commit, snapshot, files, size, plan, result, idle };
  await inSpan('record source', {}, () =>
    recordSource(worker.database, context.lease, fetched, blobs.written),
  );
  context.services.sourceMembers.prepare(snapshot);
}

/** What the step adds to the bundle besides the source. */
async function gitDirectories(context: StepContext, source: FetchedSourceTree): Promise<Digest> {
  const stored = await storeGitDirectories(context, source);
  const nothing = { environment: [], configurationFiles: [] };
  const result = await writeStepResult(context.blobs, {
    ...stored,
    ...{ packages: [], sourceChanges: [], components: [], tools: {} },
    ...{ offline: nothing, registry: nothing },
  });
  return result.digest;
}

function idleManagers(source: SourceTree, { request, worker }: StepContext): PackageManager[] {
  return request.packageManagers.filter((manager) =>
    ecosystems.get(manager)?.isIdle?.({
      source,
      packages: request.packages[manager] ?? [{ path: '.' }],
      settings: worker.settings,
      request,
    }),
  );
}

/** Submodules come one level deep, and only for who asks for them (cachito.md 4.2). */
async function fetch(context: StepContext, withSubmodules: boolean): Promise<FetchedSourceTree> {
  const { request, services } = context;
  return request.uploadId === null
    ? await services.fetchGitSource(context, withSubmodules ? 'direct' : 'none')
    : await services.unpackUpload(context, request.uploadId);
}

/** Throws InvalidRepoStructure when no enabled package manager finds anything. */
async function detect(tree: SourceTree, { request, worker, log }: StepContext): Promise<SourcePlan> {
  const enabled = [...ecosystems.values()].filter(({ name }) =>
    worker.settings.packageManagers.includes(name),
  );
  const { found, leftOut } = await detectPackages(tree, enabled, {
    repository: request.repository,
    settings: worker.settings,
  });
  if (found.size === 0) {
    throw new InvalidRepoStructure(
      'lockfile-not-found',
      'No lock file of a known package manager was found',
      {
        hint: 'Name the package managers and paths, or ask for the source only.',
      },
    );
  }
  const plan: SourcePlan = { packages: {}, evidence: {} };
  for (const [manager, packages] of found) {
    plan.packages[manager] = packages.map((one) => one.options);
    plan.evidence[manager] = packages.flatMap((one) => one.evidence);
    log.info(`${manager}: ${plan.evidence[manager].join(', ')}`);
  }
  for (const [manager, packages] of leftOut) {
    const paths = packages.map((one) => one.options.path).join(', ');
    log.info(`left out, since it is test data or an example: ${manager} at ${paths}; name it to have it`);
  }
  return plan;
}
