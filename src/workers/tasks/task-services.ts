import type { BundleRequest } from '../../domain/bundle-requests/bundle-request.ts';
import type { Signer } from '../../domain/bundles/signing.ts';
import { openSigner } from '../../domain/bundles/signing-keys.ts';
import { findUpload } from '../../domain/database/sql/find-upload.ts';
import type { SubmoduleDepth } from '../../domain/database/sql/source-snapshots.ts';
import { NotFoundError } from '../../domain/errors.ts';
import { openRegistry, type Registry } from '../../domain/registry/registry.ts';
import type { Digest } from '../../domain/storage/blob-store.ts';
import { inSpan } from '../../domain/tracing/span.ts';
import { type ImageBuilding, openImageBuilding } from '../builders/image-building.ts';
import { DatabaseArtifactStore } from '../downloads/database-artifact-store.ts';
import { type DownloadCounters, DownloadScheduler } from '../downloads/scheduler.ts';
import { DatabaseGitTrees } from '../git/database-git-trees.ts';
import { type FetchedSourceTree, fetchGitSource } from '../sources/fetch-git-source.ts';
import { unpackArchive, unpackGitDirectory } from '../sources/unpack-archive.ts';
import type { WorkerContext } from '../worker-context.ts';
import { BundlesAhead } from './bundles-ahead.ts';
import { SourceMembers } from './source-members.ts';
import type { StepContext } from './step-task.ts';

/** What outlives a single step: one download scheduler for the process, and what is built on it for each step. */
export class TaskServices {
  readonly context: WorkerContext;
  readonly sourceMembers: SourceMembers;
  readonly bundlesAhead: BundlesAhead;
  readonly #scheduler: DownloadScheduler;
  #registry: Registry | null = null;
  #imageBuilding: Promise<ImageBuilding> | null = null;

  constructor(context: WorkerContext) {
    this.context = context;
    this.sourceMembers = new SourceMembers(context);
    this.bundlesAhead = new BundlesAhead(this.sourceMembers);
    this.#scheduler = new DownloadScheduler(context.settings);
    context.metrics.include(() => downloadMetrics(this.#scheduler.counters));
  }

  artifacts(step: StepContext): DatabaseArtifactStore {
    const { database, settings } = this.context;
    return new DatabaseArtifactStore({
      sql: database.sql,
      blobs: step.blobs,
      scheduler: this.#scheduler,
      settings,
      log: step.log,
      progress: step.progress,
      signal: step.signal,
      span: step.downloads,
    });
  }

  gitTrees(step: StepContext): DatabaseGitTrees {
    const { database, settings } = this.context;
    return new DatabaseGitTrees({
      sql: database.sql,
      blobs: step.blobs,
      settings,
      log: step.log,
      signal: step.signal,
    });
  }

  async fetchGitSource(step: StepContext, submodules: SubmoduleDepth): Promise<FetchedSourceTree> {
    const { database, settings } = this.context;
    const { repository, requestedRef, commit, flags } = step.request;
    // A retried request stays at the commit that it has found.
    const source = { repository: repository!, ref: commit ?? requestedRef, flags, submodules };
    const { blobs } = step;
    return await fetchGitSource(source, { git: this.gitTrees(step), sql: database.sql, blobs, settings });
  }

  async unpackUpload(step: StepContext, uploadId: number): Promise<FetchedSourceTree> {
    const archive = await this.#archiveOf(uploadId);
    const uploaded = { archive, flags: step.request.flags };
    return await inSpan('unpack archive', {}, () => unpackArchive(uploaded, this.#unpackContext(step)));
  }

  /** See {@link unpackGitDirectory}. */
  async unpackUploadedGitDirectory(step: StepContext, uploadId: number, directory: string): Promise<boolean> {
    return await unpackGitDirectory(await this.#archiveOf(uploadId), directory, this.#unpackContext(step));
  }

  /** Index blob of the request's source. Throws NotFoundError when the source was not fetched. */
  async snapshotOf(request: BundleRequest): Promise<Digest> {
    const [row] = await this.context.database.sql.query<{ digest: Digest }>(
      'select index_digest as digest from source_snapshots where id = $1',
      [request.snapshotId],
    );
    if (!row) throw new NotFoundError(`The source of request ${request.id} is not there`);
    return row.digest;
  }

  /** The registry, without a gateway in between. */
  get registry(): Registry {
    const { database, blobs, settings } = this.context;
    this.#registry ??= openRegistry({ settings, database, blobs });
    return this.#registry;
  }

  /** What builds images, made when the first one is to be built. */
  async imageBuilding(): Promise<ImageBuilding> {
    const { settings, imageBuilding } = this.context;
    if (imageBuilding) return imageBuilding;
    const { registry } = this;
    this.#imageBuilding ??= openImageBuilding({ settings, registry, scheduler: this.#scheduler }).catch(
      (error: unknown) => {
        this.#imageBuilding = null;
        throw error;
      },
    );
    return await this.#imageBuilding;
  }

  /** With the key that signs now. */
  async signer(): Promise<Signer> {
    const { database, settings } = this.context;
    return await openSigner(database, settings);
  }

  async #archiveOf(uploadId: number): Promise<Digest> {
    const digest = await findUpload(this.context.database.sql, uploadId);
    if (digest === null) throw new NotFoundError(`The upload ${uploadId} is not there`);
    return digest;
  }

  #unpackContext({ blobs, signal, temporaryDirectory }: StepContext) {
    const { database, settings } = this.context;
    return { sql: database.sql, blobs, settings, signal, temporaryDirectory };
  }

  async close(): Promise<void> {
    await this.sourceMembers.close();
    await this.#scheduler.close();
  }
}

function downloadMetrics(counters: DownloadCounters): Record<string, number> {
  return {
    stowage_downloads_total: counters.downloads,
    stowage_download_failures_total: counters.failures,
    stowage_download_retries_total: counters.retries,
    stowage_download_bytes_total: counters.bytes,
    stowage_download_cache_hits_total: counters.cacheHits,
  };
}
