import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { Settings } from '../../domain/config.ts';
import { type ArtifactRow, findArtifacts } from '../../domain/database/sql/artifacts-find.ts';
import type { NewArtifact } from '../../domain/database/sql/artifacts-record.ts';
import { unnamedBlobs } from '../../domain/database/sql/unnamed-blobs.ts';
import type { SqlExecutor } from '../../domain/database/sql-executor.ts';
import { InvalidInputError } from '../../domain/errors.ts';
import type { BlobStore, Digest, StoredBlob } from '../../domain/storage/blob-store.ts';
import type { StepLog, StepProgress } from '../ecosystems/ecosystem.ts';
import { untilAborted } from '../until-aborted.ts';
import { ArtifactClaims } from './artifact-claims.ts';
import { ArtifactRecorder } from './artifact-recorder.ts';
import type {
  Artifact,
  ArtifactRequest,
  ArtifactStore,
  DerivedArtifact,
  HashAlgorithm,
} from './artifact-store.ts';
import { Backlog } from './backlog.ts';
import { Batch } from './batch.ts';
import { type Destination, destinationOf } from './destination.ts';
import type { DownloadSpan } from './download-span.ts';
import type { FetchedDocument } from './fetcher.ts';
import { hashBlob } from './hash-blob.ts';
import { maskCredentials } from './mask-credentials.ts';
import type { DownloadScheduler } from './scheduler.ts';
import { storedMetadata } from './stored-metadata.ts';
import { rewriteUrl } from './url-rewrites.ts';

export interface DatabaseArtifactStoreOptions {
  sql: SqlExecutor;
  blobs: BlobStore;
  scheduler: DownloadScheduler;
  settings: Settings;
  log: StepLog;
  progress: StepProgress;
  signal: AbortSignal;
  span?: DownloadSpan;
}

/** Keys looked up by one statement. */
const CHUNK = 5000;
/** The first so many go ahead: the others are looked up while the bytes of these are on the way, so many at a time. */
const VANGUARD = 64;
const FOLLOWERS = 256;
/** Files of a call that are being fetched or wait for it, for each download that runs. */
const QUEUE = 4;
const DOCUMENT_BYTES = 64 * 1024 * 1024;
/** Stored files read at a time, for facts that are not known of them yet. */
const READERS = 16;
/** Under this name `metadata` of the table keeps what `derive` gave. */
const DERIVED = 'derived';

/** How to come by an artefact that is not in the store, and what it must satisfy. */
interface Wanted {
  key: string;
  url: string;
  expected: ArtifactRequest['expected'];
  algorithms: readonly HashAlgorithm[];
  /** The part of the metadata that the caller gets. */
  metadataName: string | null;
  inspect?: NonNullable<ArtifactRequest['inspect']>['run'];
  onStored?: ArtifactRequest['onStored'] | undefined;
  /** Puts the bytes into the blob store, verified. */
  make(signal: AbortSignal): Promise<Made>;
}

/** Is told how far an artefact has come that the store did not have. */
interface Steps {
  fetching(): void;
  stored(): void;
}

interface Made {
  blob: StoredBlob;
  digests: Artifact['digests'];
  metadata: Record<string, unknown>;
}

/**
 * The artefacts of one step: what the database knows is taken from the blob store, the rest is fetched by the process's
 * scheduler and recorded. Files that were fetched and verified before a failure stay: they are a cache.
 */
export class DatabaseArtifactStore implements ArtifactStore {
  readonly #options: DatabaseArtifactStoreOptions;
  readonly #claims: ArtifactClaims;
  readonly #recorder: ArtifactRecorder;
  readonly #rows: Batch<string, ArtifactRow | null>;
  readonly #reading = pLimit(READERS);
  readonly #recordedAt = new Map<Digest, number>();

  constructor(options: DatabaseArtifactStoreOptions) {
    const { sql, blobs } = options;
    this.#options = options;
    this.#claims = new ArtifactClaims(sql);
    this.#recorder = new ArtifactRecorder(sql, blobs, this.#claims.holder);
    this.#rows = new Batch(CHUNK, async (keys) => {
      const rows = new Map((await findArtifacts(sql, keys)).map((row) => [row.key, row]));
      return keys.map((key) => rows.get(key) ?? null);
    });
  }

  /** The blob was recorded with an artefact so short a time ago that recording it again would change nothing. */
  hasJustRecorded(digest: Digest): boolean {
    return Date.now() - (this.#recordedAt.get(digest) ?? 0) < JUST_MS;
  }

  fetchAll(requests: readonly ArtifactRequest[]): Promise<Artifact[]> {
    return this.#traced(() => this.#obtainAll(requests, (request) => this.#wantedOf(request)));
  }

  async fetch(request: ArtifactRequest): Promise<Artifact> {
    const [artifact] = await this.fetchAll([request]);
    return artifact!;
  }

  async derive(derived: DerivedArtifact): Promise<Artifact> {
    const wanted = (): Wanted => ({
      key: withoutSecrets(derived.key),
      url: maskCredentials(derived.url),
      expected: [],
      algorithms: derived.record ?? [],
      metadataName: DERIVED,
      make: (signal) => this.#produce(derived, signal),
    });
    const [artifact] = await this.#traced(() => this.#obtainAll([derived], wanted));
    return artifact!;
  }

  async fetchDocument({
    url,
    headers,
    maxBytes,
    trusted,
    accept,
  }: Parameters<ArtifactStore['fetchDocument']>[0]): Promise<FetchedDocument> {
    const { scheduler, log, signal } = this.#options;
    const destination = trusted
      ? destinationOf(url, { headers, trusted })
      : this.#publicDestination(url, { headers });
    const job = { destination, maxBytes: maxBytes ?? DOCUMENT_BYTES, accept: accept ?? [], log, signal };
    return await this.#traced(() => scheduler.document(job));
  }

  #traced<T>(work: () => Promise<T>): Promise<T> {
    const { span } = this.#options;
    return span === undefined ? work() : span.during(work);
  }

  /** Side by side; the first failure stops the rest, and is thrown when all have stopped. */
  async #obtainAll<Request>(
    requests: readonly Request[],
    wantedOf: (request: Request) => Wanted,
  ): Promise<Artifact[]> {
    const { progress, settings, signal } = this.#options;
    signal.throwIfAborted();
    progress.expect({ files: requests.length });
    const abort = new AbortController();
    const onAbort = (): void => abort.abort(signal.reason);
    setMaxListeners(0, abort.signal);
    signal.addEventListener('abort', onAbort, { once: true });
    const fetching = Promise.withResolvers<void>();
    const queue = new Backlog(QUEUE * settings.downloadConcurrency);
    let isFetching = false;
    const steps = {
      fetching() {
        isFetching = true;
        fetching.resolve();
      },
    };
    const obtain = async (request: Request): Promise<Artifact> => {
      const stored = Promise.withResolvers<void>();
      void queue.run(() => stored.promise);
      try {
        return await this.#obtain(wantedOf(request), abort.signal, { ...steps, stored: stored.resolve });
      } catch (error) {
        abort.abort(error);
        throw error;
      } finally {
        stored.resolve();
      }
    };
    try {
      const artifacts: Promise<Artifact>[] = [];
      for (let size = VANGUARD; artifacts.length < requests.length && !abort.signal.aborted; ) {
        const part = requests.slice(artifacts.length, artifacts.length + size).map(obtain);
        artifacts.push(...part);
        await Promise.race([fetching.promise, Promise.allSettled(part)]);
        await queue.room();
        await nextTurn();
        size = isFetching ? FOLLOWERS : Math.min(2 * size, CHUNK);
      }
      const outcomes = await Promise.allSettled(artifacts);
      abort.signal.throwIfAborted();
      return outcomes.map((outcome) => (outcome as PromiseFulfilledResult<Artifact>).value);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** One artefact: from the store, or from whoever fetches it just now, or fetched here. */
  async #obtain(wanted: Wanted, signal: AbortSignal, steps: Steps): Promise<Artifact> {
    const { inFlight } = this.#options.scheduler;
    for (let look = 0; ; look += 1) {
      const stored = await this.#fromStore(wanted, signal);
      if (stored) return stored;
      const other = inFlight.get(wanted.key);
      if (other) {
        await untilAborted(other, signal);
        continue;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      inFlight.set(wanted.key, promise);
      try {
        if (await this.#claims.take(wanted.key)) return await this.#makeClaimed(wanted, signal, steps);
        await this.#claims.pause(look, signal);
      } finally {
        inFlight.delete(wanted.key);
        resolve();
      }
    }
  }

  async #makeClaimed(wanted: Wanted, signal: AbortSignal, steps: Steps): Promise<Artifact> {
    try {
      // The one who had the claim until now may have brought it.
      const stored = await this.#fromStore(wanted, signal);
      if (stored) return stored;
      steps.fetching();
      const artifact = await this.#recorder.during(() => this.#make(wanted, signal, steps));
      this.#claims.forget(wanted.key);
      this.#options.progress.add({ files: 1 });
      return artifact;
    } finally {
      await this.#claims.release(wanted.key);
    }
  }

  async #make(wanted: Wanted, signal: AbortSignal, steps: Steps): Promise<Artifact> {
    const made = await wanted.make(signal);
    steps.stored();
    const madeAt = Date.now();
    const release = this.#options.scheduler.unrecorded.hold(made.blob.digest);
    let isRecorded = false;
    try {
      if (wanted.inspect) Object.assign(made.metadata, await this.#inspect(wanted, made.blob));
      wanted.onStored?.(made.blob);
      await this.#recorder.record(recordOf(wanted, made));
      isRecorded = true;
      this.#recordedAt.set(made.blob.digest, Date.now());
    } finally {
      const isLast = release();
      if (!isRecorded && isLast) await this.#discard(made.blob, madeAt);
    }
    return artifactOf(wanted, made, false);
  }

  /** What is stored under the key and satisfies the caller; facts that were not known yet are added to it. */
  async #fromStore(wanted: Wanted, signal: AbortSignal): Promise<Artifact | null> {
    signal.throwIfAborted();
    const row = await this.#rows.load(wanted.key);
    signal.throwIfAborted();
    const { blobs, progress, scheduler } = this.#options;
    if (!row || (await blobs.size(row.digest)) !== row.size) return null;
    const made: Made = {
      blob: { digest: row.digest, size: row.size, crc32: row.crc32 },
      digests: row.digests as Made['digests'],
      metadata: row.metadata,
    };
    const matches = wanted.expected.some(({ algorithm, hex }) => made.digests[algorithm] === hex);
    const needed = [
      ...wanted.algorithms,
      ...(matches ? [] : wanted.expected.map((digest) => digest.algorithm)),
    ];
    const unknown = [...new Set(needed)].filter((algorithm) => made.digests[algorithm] === undefined);
    if (unknown.length > 0) {
      const more = await this.#reading(() => hashBlob(blobs, row.digest, unknown));
      made.digests = { ...made.digests, ...more };
    }
    if (!satisfies(wanted, made)) return null;
    const uninspected = wanted.inspect && wanted.metadataName! in made.metadata === false;
    if (uninspected) made.metadata = { ...made.metadata, ...(await this.#inspect(wanted, made.blob)) };
    if (unknown.length > 0 || uninspected) await this.#recorder.record(recordOf(wanted, made));
    scheduler.counters.cacheHits += 1;
    progress.add({ files: 1, cachedFiles: 1 });
    wanted.onStored?.(made.blob);
    return artifactOf(wanted, made, true);
  }

  async #inspect({ inspect, metadataName }: Wanted, blob: StoredBlob): Promise<Record<string, unknown>> {
    const result = await this.#reading(() => inspect!(() => this.#options.blobs.read(blob.digest)));
    return { [metadataName!]: storedMetadata(result) };
  }

  async #produce(derived: DerivedArtifact, signal: AbortSignal): Promise<Made> {
    const { blobs } = this.#options;
    const { content, metadata } = await derived.produce();
    const blob = await blobs.write(content, { durability: 'batch', signal });
    const more = (derived.record ?? []).filter((algorithm) => algorithm !== 'sha256');
    const digests = more.length > 0 ? await hashBlob(blobs, blob.digest, more) : {};
    return {
      blob,
      digests: { ...digests, sha256: blob.digest.slice('sha256:'.length) },
      metadata: { [DERIVED]: storedMetadata(metadata) },
    };
  }

  #wantedOf(request: ArtifactRequest): Wanted {
    const { scheduler, blobs, settings, log, progress } = this.#options;
    const { key, url, expected, fileName, inspect, onStored } = request;
    if (/\0/.test(key + url)) throw new InvalidInputError('A key or URL of a file contains a NUL character');
    const algorithms = request.record ?? [];
    return {
      key: withoutSecrets(key),
      url: maskCredentials(url),
      expected,
      algorithms,
      metadataName: inspect?.name ?? null,
      ...(inspect && { inspect: inspect.run }),
      onStored,
      make: async (signal) => ({
        ...(await scheduler.file({
          destination: this.#destinationOf(request),
          fileName,
          url,
          expected,
          algorithms,
          maxBytes: request.maxBytes ?? settings.limits.artifactBytes,
          blobs,
          onBytes: (bytes) => progress.add({ bytes }),
          log,
          signal,
        })),
        metadata: {},
      }),
    };
  }

  #destinationOf({ url, upstream, insecure }: ArtifactRequest): Destination {
    if (!upstream) return this.#publicDestination(url, { insecure });
    return destinationOf(upstream.url, { headers: upstream.headers, trusted: true, insecure });
  }

  /** A URL that a lock file names, unless the operator has a mirror for it. */
  #publicDestination(
    url: string,
    options: { headers?: Record<string, string> | undefined; insecure?: boolean | undefined },
  ): Destination {
    const mirror = rewriteUrl(url, this.#options.settings.urlRewrites);
    return mirror === null
      ? destinationOf(url, { ...options, trusted: false })
      : destinationOf(mirror, { trusted: true });
  }

  /** Removes a blob that was not recorded. When the database cannot say whether it has a name, it stays. */
  async #discard({ digest }: StoredBlob, madeAt: number): Promise<void> {
    const { sql, blobs } = this.#options;
    const unnamed = await unnamedBlobs(sql, [digest]).catch(() => []);
    // What another process has written since then is about to be named.
    const writtenBefore = new Date(madeAt + CLOCK_MS);
    for (const one of unnamed) await blobs.delete(one, { writtenBefore }).catch(() => undefined);
  }
}

/** Half of the time after which {@link file://../../domain/database/sql/record-blobs.ts} makes a known blob count as new. */
const JUST_MS = 5 * 60_000;

/** How far the clock of a file system may be from that of the process. */
const CLOCK_MS = 5;

function satisfies({ expected }: Wanted, { digests }: Made): boolean {
  return expected.length === 0 || expected.some(({ algorithm, hex }) => digests[algorithm] === hex);
}

/** Keys are kept for ever, secrets in them are not: what a password opened still has a key of its own. */
function withoutSecrets(key: string): string {
  const masked = maskCredentials(key);
  return masked === key ? key : `${masked}!${createHash('sha256').update(key).digest('hex')}`;
}

function recordOf({ key, url }: Wanted, { blob, digests, metadata }: Made): NewArtifact {
  return { key, url, blob, digests, metadata };
}

function artifactOf({ key, url, metadataName }: Wanted, made: Made, cached: boolean): Artifact {
  const metadata = metadataName === null ? null : (made.metadata[metadataName] ?? null);
  return { ...made.blob, key, url, digests: made.digests, metadata, cached };
}
