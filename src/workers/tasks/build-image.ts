import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Task } from 'graphile-worker';
import type { BuildPayload } from '../../domain/database/sql/add-job.ts';
import { DomainError } from '../../domain/errors.ts';
import { outOfTime } from '../../domain/images/build-failure.ts';
import { buildFailureOf } from '../../domain/images/build-failure-of.ts';
import type { BuildError, ImageBuild } from '../../domain/images/image-build.ts';
import {
  type BuildLease,
  buildLeaseHolds,
  failBuild,
  finishBuild,
  returnBuild,
  takeBuild,
} from '../../domain/images/run-build.ts';
import { stagingTag } from '../../domain/images/staging-tag.ts';
import { LeaseLostError } from '../../domain/lease-lost.ts';
import { LogWriter } from '../../domain/logs/log-writer.ts';
import { Seal } from '../../domain/secrets/seal.ts';
import { currentSpan, inSpan } from '../../domain/tracing/span.ts';
import type { BuildLimits, BuiltImage, ImageBuild as ImageBuildInput } from '../builders/image-builder.ts';
import { maskCredentials } from '../downloads/mask-credentials.ts';
import { removeTree } from '../remove-tree.ts';
import type { WorkerContext } from '../worker-context.ts';
import { attestImage } from './attest-image.ts';
import { prepareContext } from './build-context.ts';
import { CappedOutput } from './capped-output.ts';
import { DockerfileSpans } from './dockerfile-spans.ts';
import { LeaseWatch } from './lease-watch.ts';
import { maskedDetails } from './masked-details.ts';
import { secretMask } from './secret-mask.ts';
import { isServiceFailure } from './service-failure.ts';
import { StepBlobs } from './step-blobs.ts';
import type { TaskServices } from './task-services.ts';

/** What one run of a build works with. */
export interface BuildContext {
  worker: WorkerContext;
  lease: BuildLease;
  build: ImageBuild;
  /** Remembers what is written, so that nothing unnamed stays behind when the build fails. */
  blobs: StepBlobs;
  log: LogWriter;
  /** Aborted on cancel, on shutdown, when the lease is lost and when the build's time is over. */
  signal: AbortSignal;
  temporaryDirectory: string;
  /** Of the Dockerfile, where the build is; null: it has not come so far. */
  line: number | null;
}

/**
 * Builds an image and ends its build. Idempotent and fenced, see src/domain/images/run-build.ts.
 *
 *   the image is in the registry → the version's tag is put on it, the build has succeeded
 *   something throws             → the build fails with a reason
 *   lease lost or cancel         → nothing is written any more
 *   shutdown                     → the build waits again, for another worker
 *   database, blob store, registry or room away → the job is left to be done again
 */
export function buildImage(services: TaskServices): Task {
  const { context: worker } = services;
  return async (payload) => {
    const lease = await takeBuild(worker.database, payload as BuildPayload, worker.workerId);
    if (!lease) return;
    currentSpan()?.set({ 'stowage.build.attempt': lease.build.attempt });
    const started = Date.now();
    const outcome = await unseal(worker, lease).then(
      () => runBuild(services, lease),
      (error: unknown) => refuse(worker, lease, error),
    );
    currentSpan()?.set({ 'stowage.outcome': outcome });
    worker.metrics.add(`stowage_jobs_total{task="build-image",outcome="${outcome}"}`);
    worker.metrics.add('stowage_job_seconds_total{task="build-image"}', (Date.now() - started) / 1000);
  };
}

/** What the database has encrypted. Throws DomainError `secrets-key-missing`. */
async function unseal({ settings }: WorkerContext, lease: BuildLease): Promise<void> {
  const seal = await Seal.open(settings);
  lease.build.repository = seal.unsealUrl(lease.build.repository);
  lease.secrets = seal.unsealAll(lease.secrets);
}

async function refuse(worker: WorkerContext, lease: BuildLease, error: unknown): Promise<'failed'> {
  const subject = { subjectType: 'image-build', subjectId: lease.build.id } as const;
  await reportFailure(
    worker,
    lease,
    new LogWriter(worker.database, subject, 'build', maskCredentials),
    error,
  );
  return 'failed';
}

async function runBuild(
  services: TaskServices,
  lease: BuildLease,
): Promise<'succeeded' | 'failed' | 'lost' | 'returned'> {
  const { context: worker } = services;
  const { build } = lease;
  const limits = limitsOf(build, worker);
  const subject = { subjectType: 'image-build', subjectId: build.id } as const;
  const log = new LogWriter(worker.database, subject, 'build', secretMask(lease.secrets, maskCredentials));
  const watch = new LeaseWatch(worker, {
    topic: `image-build:${build.id}`,
    holds: () => buildLeaseHolds(worker.database, lease),
    endsAt: build.startedAt!.getTime() + limits.seconds * 1000,
  });
  const blobs = new StepBlobs(worker.blobs, worker.database);
  const temporaryDirectory = join(worker.temporaryRoot, `build-${build.id}-${build.attempt}`);
  const { signal } = watch;
  const context: BuildContext = { worker, lease, build, blobs, log, signal, temporaryDirectory, line: null };
  try {
    await mkdir(temporaryDirectory, { recursive: true });
    if (build.attempt > 1) log.info(`run ${build.attempt} of this build`);
    const image = await makeImage(services, context, limits);
    await log.flush();
    await inSpan('record build', {}, () => finishBuild(worker.database, worker.settings, lease, image));
    blobs.keep();
    return 'succeeded';
  } catch (error) {
    await blobs.drop();
    if (error instanceof LeaseLostError || watch.lost) return 'lost';
    if (worker.shutdown.aborted) {
      log.info('the worker stops: another one begins this build anew');
      await log.flush();
      return (await returnBuild(worker.database, lease)) ? 'returned' : 'lost';
    }
    if (isServiceFailure(error)) throw error;
    await reportFailure(worker, lease, log, watch.timedOut ? outOfTime(limits.seconds, context.line) : error);
    return 'failed';
  } finally {
    watch.stop();
    await removeTree(temporaryDirectory);
    await log.flush().catch((error: unknown) => worker.logger.warn({ err: error }, 'log lines were lost'));
  }
}

async function makeImage(
  services: TaskServices,
  context: BuildContext,
  limits: BuildLimits,
): Promise<BuiltImage> {
  const { worker, build, lease, log, signal, temporaryDirectory } = context;
  const { builder, destinationOf } = await services.imageBuilding();
  const prepared = await inSpan('prepare context', {}, () => prepareContext(context));
  log.info('workspace is ready.');
  const output = new CappedOutput(log, worker.settings.buildLogBytes);
  const { options } = build;
  const onWait = (): void => log.info('No gateway runs yet: waiting for its registry.');
  const destination = await destinationOf(build, { signal, onWait });
  const input: Omit<ImageBuildInput, 'onStep'> = {
    contextDirectory: prepared.contextDirectory,
    mounts: prepared.mounts,
    stepEnvironment: prepared.stepEnvironment,
    sourceDateEpoch: prepared.sourceDateEpoch,
    dockerfile: options.dockerfile,
    target: options.target,
    buildArguments: options.buildArguments,
    secrets: lease.secrets,
    labels: options.labels,
    platform: options.platform,
    useCache: options.useCache,
    cacheScope: String(build.projectId),
    isHermetic: options.isHermetic,
    limits,
    destination: { ...destination, tag: stagingTag(build) },
    onLine: (line) => output.write(line),
    signal,
    temporaryDirectory,
  };
  const image = await inSpan('build image', { 'stowage.builder': builder.name }, async (span) => {
    const steps = span && new DockerfileSpans(span);
    const onStep = (line: number): void => {
      context.line = line;
      steps?.at(line);
    };
    return await builder.build({ ...input, onStep }).finally(() => {
      steps?.end();
      output.end();
    });
  });
  signal.throwIfAborted();
  await inSpan('attest image', {}, () => attestImage(services, context, prepared, image));
  log.info('Image has been pushed into the registry.');
  return image;
}

function limitsOf({ options }: ImageBuild, { settings }: WorkerContext): BuildLimits {
  return {
    seconds: options.timeoutSeconds ?? settings.buildSeconds,
    memoryBytes: options.memoryBytes ?? settings.buildMemoryBytes,
    processes: options.processes ?? settings.buildProcesses,
    diskBytes: settings.buildDiskBytes,
  };
}

async function reportFailure(
  worker: WorkerContext,
  lease: BuildLease,
  log: LogWriter,
  error: unknown,
): Promise<void> {
  const failure = withoutSecrets(buildFailureOf(error), secretMask(lease.secrets, maskCredentials));
  const fields = { err: error, build: lease.build.id };
  if (error instanceof DomainError) worker.logger.info(fields, 'a build failed');
  else worker.logger.error(fields, 'a build failed unexpectedly');
  currentSpan()?.fail(failure.reason);
  log.error(failure.message);
  await log.flush();
  await failBuild(worker.database, worker.settings, lease, failure);
}

function withoutSecrets(failure: BuildError, mask: (text: string) => string): BuildError {
  return { ...failure, message: mask(failure.message), details: maskedDetails(failure.details, mask) };
}
