import { setTimeout as sleep } from 'node:timers/promises';
import type { AssembledBundle, BundleDocuments } from '../../domain/bundle-requests/record-bundle.ts';
import { growDictionaries, recordBundle } from '../../domain/bundle-requests/record-bundle.ts';
import { readStepResult, type StepResult } from '../../domain/bundle-requests/step-result.ts';
import { assembleBundle as assemble } from '../../domain/bundles/assemble-bundle.ts';
import type { BundleFile, ConsumerSetup } from '../../domain/bundles/bundle-file.ts';
import { similarNames } from '../../domain/bundles/bundle-manifest.ts';
import { consumerFiles } from '../../domain/bundles/consumer-files.ts';
import { namesVaryingFile } from '../../domain/bundles/reproducible-part.ts';
import { mergeComponents } from '../../domain/bundles/sbom/merge-components.ts';
import { findSteps } from '../../domain/database/sql/bundle-request-rows.ts';
import { reuseBundle } from '../../domain/database/sql/find-bundle.ts';
import { reportPackages } from '../../domain/packages/reported-packages.ts';
import { openSnapshot } from '../../domain/sources/source-snapshot.ts';
import { inSpan } from '../../domain/tracing/span.ts';
import { writeDocuments } from './bundle-documents.ts';
import type { StepContext } from './step-task.ts';

/** A source with more of them is meant to be like that. */
const MOST_NAMED = 20;

/** Of more components documents are made when the database has begun to write the rows: they keep the process busy. */
const MANY = 300;
const HEAD_START_MS = 4;

/** Puts together what the package managers found: the bundle, its SBOMs and its provenance. */
export async function assembleBundle(context: StepContext): Promise<void> {
  const { request, worker, services, blobs, log, progress, signal } = context;
  const { sql } = worker.database;
  const results = await resultsOf(context);
  const packages = reportPackages(results.flatMap((result) => result.packages));
  const source = await openSnapshot(blobs, await services.snapshotOf(request));
  const offline = mergeSetups(results.map((result) => result.offline));
  const registry = mergeSetups(results.map((result) => result.registry));
  const components = mergeComponents(results.map((result) => result.components));
  const dictionaries = growDictionaries(worker.database, { packages, components });
  // A failure is thrown where it is waited for.
  dictionaries.catch(() => undefined);

  const files = results.flatMap((result) => result.files);
  const content: Parameters<typeof assemble>[0] = {
    blobs,
    source,
    sourceChanges: results.flatMap((result) => result.sourceChanges),
    files: [...files, ...(request.rules === 'native' ? await consumerFilesOf(context, offline, files) : [])],
    links: results.flatMap((result) => result.links ?? []),
    directories: results.flatMap((result) => result.directories),
    known: (manifestDigest) => reuseBundle(sql, manifestDigest),
    sourceMembers: services.sourceMembers,
    ahead: services.bundlesAhead.take(request.id),
    signal,
  };
  const bundle = await inSpan('assemble archive', { 'stowage.files': files.length }, () => assemble(content));
  log.info(
    `bundle: ${bundle.entries} entries, manifest ${bundle.manifestDigest}, tar ${bundle.tarDigest}, archive ${bundle.archiveDigest} of ${bundle.archiveSize} bytes`,
  );
  for (const names of similarNames(bundle.manifest.entries).slice(0, MOST_NAMED)) {
    log.warn(`these names are the same on some file systems: ${names.join(', ')}`);
  }
  const assembled: AssembledBundle = {
    bundle,
    packages,
    components,
    offline,
    registry,
    blobs: blobs.written,
  };
  await Promise.all([
    log.flush(),
    progress.finish(),
    blobs.sync(assembled.blobs.map((blob) => blob.digest)),
    dictionaries,
  ]);
  const isLarge = components.length > MANY;
  let documents: Promise<BundleDocuments> | null = null;
  const makeDocuments = (): Promise<BundleDocuments> => {
    const parts = { bundle, source, results, packages: packages.packages, components };
    documents ??= sleep(isLarge ? HEAD_START_MS : 0).then(() =>
      inSpan('write documents', {}, () => writeDocuments(context, parts)),
    );
    documents.catch(() => undefined);
    return documents;
  };
  if (!isLarge) makeDocuments();
  try {
    await inSpan('record bundle', {}, () =>
      recordBundle(worker.database, context.lease, assembled, makeDocuments),
    );
  } finally {
    // What they write must be known to the step, whatever happens.
    await (documents as Promise<BundleDocuments> | null)?.catch(() => undefined);
  }
}

async function resultsOf({ worker, request, blobs }: StepContext): Promise<StepResult[]> {
  const steps = await findSteps(worker.database.sql, request.id);
  const digests = steps.flatMap((step) => (step.resultDigest === null ? [] : [step.resultDigest]));
  return await Promise.all(digests.map((digest) => readStepResult(blobs, digest)));
}

function mergeSetups(setups: readonly ConsumerSetup[]): ConsumerSetup {
  return {
    environment: setups.flatMap(({ environment }) => environment),
    configurationFiles: setups.flatMap(({ configurationFiles }) => configurationFiles),
  };
}

async function consumerFilesOf(
  { blobs }: StepContext,
  setup: ConsumerSetup,
  fetched: readonly BundleFile[],
): Promise<BundleFile[]> {
  const files = consumerFiles(setup.environment, setup.configurationFiles);
  return await Promise.all(
    files.map(async ({ path, content }): Promise<BundleFile> => {
      const blob = await blobs.write(content, { durability: 'batch' });
      const varies = namesVaryingFile(content, fetched);
      return { path, mode: 0o644, ...blob, ...(varies && { varies }) };
    }),
  );
}
