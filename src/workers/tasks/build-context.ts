import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BundleRequest } from '../../domain/bundle-requests/bundle-request.ts';
import { findRequest } from '../../domain/database/sql/bundle-request-rows.ts';
import { findUpload } from '../../domain/database/sql/find-upload.ts';
import type { SqlExecutor } from '../../domain/database/sql-executor.ts';
import type { SourceDocuments } from '../../domain/images/attestations.ts';
import { BuildFailure } from '../../domain/images/build-failure.ts';
import type { BuiltFrom, PlainSource } from '../../domain/images/build-statements.ts';
import { recordBuildCommit } from '../../domain/images/run-build.ts';
import { extractBuildContext } from '../../domain/sources/build-context.ts';
import { prepareBundleContext } from '../builders/bundle-context.ts';
import type { ImageBuild } from '../builders/image-builder.ts';
import { DatabaseGitTrees } from '../git/database-git-trees.ts';
import type { BuildContext } from './build-image.ts';
import { contextSbom } from './context-sbom.ts';

/** What a builder is given of the source. */
export interface PreparedContext
  extends Pick<ImageBuild, 'contextDirectory' | 'mounts' | 'stepEnvironment' | 'sourceDateEpoch'> {
  /** For the provenance. */
  from: BuiltFrom;
  documents: SourceDocuments;
}

/** Lays the build's source out in its temporary directory. Throws BuildFailure, or what is wrong with the source. */
export async function prepareContext(context: BuildContext): Promise<PreparedContext> {
  const { uploadId, repository, requestId } = context.build;
  if (uploadId !== null) return await unpackUpload(context, uploadId);
  if (repository !== null) return await exportCommit(context, repository);
  if (requestId !== null) return await layOutBundle(context, requestId);
  throw new BuildFailure('source-invalid', 'The uploaded source is not there any more');
}

async function unpackUpload(context: BuildContext, uploadId: number): Promise<PreparedContext> {
  const { worker, build, signal } = context;
  const digest = await findUpload(worker.database.sql, uploadId);
  if (digest === null) throw new BuildFailure('source-invalid', 'The uploaded source is not there any more');
  const directory = await contextDirectory(context);
  const { blobs, settings } = worker;
  const { dockerfile } = build.options;
  const { time } = await extractBuildContext(
    { blobs, digest, limits: settings.limits, signal, directory },
    { dockerfile },
  );
  const from = { kind: 'upload', digest } as const;
  return await plain(context, directory, time, from);
}

/** A context that has nothing beside it. */
async function plain(
  context: BuildContext,
  contextDirectory: string,
  sourceDateEpoch: number,
  from: PlainSource,
): Promise<PreparedContext> {
  const sbom = await contextSbom(context, { directory: contextDirectory, time: sourceDateEpoch, from });
  return { contextDirectory, sourceDateEpoch, mounts: [], stepEnvironment: {}, from, documents: { sbom } };
}

/** With its submodules, as docker does it. The ref is resolved once: a build that is done again stays at its commit. */
async function exportCommit(context: BuildContext, repository: string): Promise<PreparedContext> {
  const { worker, lease, build, blobs, log, signal } = context;
  const { database, settings } = worker;
  const git = new DatabaseGitTrees({ sql: database.sql, blobs, settings, log, signal });
  const commit = build.commit ?? (await git.resolveRef(repository, build.requestedRef));
  log.info(`source: commit ${commit}`);
  const tree = await git.tree(repository, commit, { submodules: 'recursive' });
  await recordBuildCommit(database, lease, commit);
  const directory = await contextDirectory(context);
  await tree.exportTo(directory, { signal });
  const from = { kind: 'git', repository, ref: build.requestedRef, commit } as const;
  return await plain(context, directory, tree.time, from);
}

async function layOutBundle(context: BuildContext, requestId: number): Promise<PreparedContext> {
  const { worker, lease, log, signal } = context;
  const { sql } = worker.database;
  const request = await findRequest(sql, requestId);
  if (!request) throw new BuildFailure('source-invalid', `Request ${requestId} is not there any more`);
  const directory = join(context.temporaryDirectory, 'source');
  await mkdir(directory);
  const { warnings, bundle, ...prepared } = await prepareBundleContext(
    { sql, blobs: worker.blobs },
    request,
    directory,
    signal,
  );
  for (const warning of warnings) log.warn(warning);
  if (request.commit !== null) await recordBuildCommit(worker.database, lease, request.commit);
  const source = await sourceOf(worker.database.sql, request);
  return { ...prepared, from: { kind: 'bundle', bundle, source }, documents: request };
}

async function sourceOf(
  sql: SqlExecutor,
  { repository, requestedRef, commit, uploadId }: BundleRequest,
): Promise<PlainSource | null> {
  if (repository !== null)
    return commit === null ? null : { kind: 'git', repository, ref: requestedRef, commit };
  const digest = await findUpload(sql, uploadId!);
  return digest && { kind: 'upload', digest };
}

async function contextDirectory({ temporaryDirectory }: BuildContext): Promise<string> {
  const directory = join(temporaryDirectory, 'context');
  await mkdir(directory);
  return directory;
}
