import type { LookupFunction } from 'node:net';
import type { Settings } from '../../domain/config.ts';
import { BlobHolds } from './blob-holds.ts';
import { Dispatchers } from './dispatchers.ts';
import { type DocumentJob, type FetchedDocument, Fetcher, type FileJob } from './fetcher.ts';
import { DEFAULT_PATIENCE, type Patience } from './http-get.ts';
import { defaultRetryPolicy, type RetryPolicy } from './retry-policy.ts';
import { Slots } from './slots.ts';
import type { TransferredFile } from './transfer.ts';

export interface SchedulerOptions {
  retryPolicy?: RetryPolicy;
  patience?: Patience;
  /** Host names to addresses; the system's by default. */
  lookup?: LookupFunction;
}

/** What happened since the start of the process, for metrics. */
export interface DownloadCounters {
  downloads: number;
  failures: number;
  retries: number;
  bytes: number;
  /** Files that were in the store already. */
  cacheHits: number;
}

/** All HTTP downloads of the process: one of these in each worker (DESIGN section 2). */
export class DownloadScheduler {
  /** Keys of artefacts that this process is fetching; each promise resolves when that is over, one way or the other. */
  readonly inFlight = new Map<string, Promise<void>>();
  readonly unrecorded = new BlobHolds();
  readonly counters: DownloadCounters = {
    downloads: 0,
    failures: 0,
    retries: 0,
    bytes: 0,
    cacheHits: 0,
  };
  readonly #slots: Slots;
  readonly #dispatchers: Dispatchers;
  readonly #fetcher: Fetcher;

  constructor(
    settings: Pick<Settings, 'downloadConcurrency' | 'downloadConcurrencyPerHost' | 'allowPrivateNetworks'>,
    options: SchedulerOptions = {},
  ) {
    const connectionsPerHost = Math.min(settings.downloadConcurrency, settings.downloadConcurrencyPerHost);
    this.#slots = new Slots(settings.downloadConcurrency, connectionsPerHost);
    this.#dispatchers = new Dispatchers({
      connectionsPerHost,
      ...(options.lookup && { lookup: options.lookup }),
    });
    this.#fetcher = new Fetcher({
      slots: this.#slots,
      dispatchers: this.#dispatchers,
      retryPolicy: options.retryPolicy ?? defaultRetryPolicy,
      patience: options.patience ?? DEFAULT_PATIENCE,
      allowPrivateNetworks: settings.allowPrivateNetworks,
      onRetry: () => {
        this.counters.retries += 1;
      },
    });
  }

  /** Downloads running and waiting just now. */
  get load(): { running: number; waiting: number } {
    return { running: this.#slots.running, waiting: this.#slots.waiting };
  }

  /** Throws InvalidChecksum, NetworkError, ValidationError, or the signal's reason. */
  async file(job: FileJob): Promise<TransferredFile> {
    const file = await this.#counted(this.#fetcher.file(job));
    this.counters.bytes += file.blob.size;
    return file;
  }

  async document(job: DocumentJob): Promise<FetchedDocument> {
    const document = await this.#counted(this.#fetcher.document(job));
    this.counters.bytes += document.body.length;
    return document;
  }

  /** Ends all connections; what runs still fails. */
  close(): Promise<void> {
    return this.#dispatchers.close();
  }

  async #counted<T>(work: Promise<T>): Promise<T> {
    try {
      const result = await work;
      this.counters.downloads += 1;
      return result;
    } catch (error) {
      this.counters.failures += 1;
      throw error;
    }
  }
}
