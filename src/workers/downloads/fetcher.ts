import type { IncomingHttpHeaders } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { InvalidChecksum, NetworkError, ValidationError } from '../../domain/errors.ts';
import type { StepLog } from '../ecosystems/ecosystem.ts';
import { Backlog } from './backlog.ts';
import { assertAuthentic, type Destination, redirected } from './destination.ts';
import type { Dispatchers } from './dispatchers.ts';
import { type BodyTaker, httpGet, type Patience, type ResponseHead, TransferError } from './http-get.ts';
import { maskCredentials } from './mask-credentials.ts';
import { isRetryableStatus, type RetryPolicy, retryAfterMs } from './retry-policy.ts';
import type { Slots } from './slots.ts';
import { Transfer, type TransferRequest, type TransferredFile } from './transfer.ts';

const REDIRECTS = 5;
/** Files that came whole and are not stored yet. */
const STORING = 64;
/** A transfer that got so much further starts to count its retries anew. */
const PROGRESS_BYTES = 1024 * 1024;

/** Documents say what to fetch next, so they go before files; what has waited already goes before what is new. */
const PRIORITY = { document: 0, retry: 1, file: 2 };

/** For whom something is fetched. */
export interface FetchContext {
  log: StepLog;
  signal: AbortSignal;
}

export interface FileJob extends FetchContext, TransferRequest {
  destination: Destination;
}

export interface DocumentJob extends FetchContext {
  destination: Destination;
  maxBytes: number;
  accept: readonly number[];
  /** Absent: GET. */
  method?: 'GET' | 'HEAD';
  /** At most so many, where there is another way out than to wait. */
  retries?: number;
  /** At most so many while the host is not there at all, where somebody waits who may have written a wrong name. */
  retriesUnreachable?: number;
}

export interface FetchedDocument {
  status: number;
  headers: IncomingHttpHeaders;
  contentType: string;
  body: Buffer;
  /** After redirects. */
  url: string;
}

export interface FetcherOptions {
  slots: Slots;
  dispatchers: Dispatchers;
  retryPolicy: RetryPolicy;
  allowPrivateNetworks: boolean;
  patience: Patience;
  /** Hears about every retry, for counters. */
  onRetry?: () => void;
}

/** HTTP GETs with redirects by the rules, retries, and resumption in mid-body (prefetch.md 11 and 12). */
export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #storing = new Backlog(STORING);

  constructor(options: FetcherOptions) {
    this.#options = options;
  }

  /** Streams a file into the blob store and verifies it. Nothing stays behind when it fails. */
  async file(job: FileJob): Promise<TransferredFile> {
    const transfer = new Transfer(job);
    try {
      return await this.#fileTwice(job, transfer);
    } catch (error) {
      await transfer.reset();
      throw error;
    }
  }

  /** A small body in memory. */
  document(job: DocumentJob): Promise<FetchedDocument> {
    return this.#retrying(job, PRIORITY.document, {
      attempt: () => this.#readDocument(job),
      recover: async () => 0,
    });
  }

  /** Wrong bytes may come from a cache on the way that kept half a file: it is asked once to look again. */
  async #fileTwice(job: FileJob, transfer: Transfer): Promise<TransferredFile> {
    try {
      return await this.#fileOnce(job, transfer, {});
    } catch (error) {
      if (!(error instanceof InvalidChecksum)) throw error;
      job.log.warn(`fetching once more: GET ${urlOf(job.destination)}: ${error.message}`);
      await transfer.reset();
      return this.#fileOnce(job, transfer, { 'cache-control': 'no-cache' });
    }
  }

  async #fileOnce(
    job: FileJob,
    transfer: Transfer,
    headers: Record<string, string>,
  ): Promise<TransferredFile> {
    await this.#retrying(job, PRIORITY.file, {
      attempt: async () => {
        const all = { ...headers, ...transfer.rangeHeaders, 'accept-encoding': 'identity' };
        await this.#get(job, all, job.expected.length > 0, (head) => transfer.begin(head));
        transfer.complete();
        // The connection goes on while the file is stored, unless the disk falls behind.
        await this.#storing.room();
      },
      recover: async () => {
        await transfer.recover();
        return transfer.received;
      },
    });
    return this.#storing.run(() => transfer.finish());
  }

  async #readDocument({
    destination,
    maxBytes,
    accept,
    method,
    ...context
  }: DocumentJob): Promise<FetchedDocument> {
    const tooLarge = (): ValidationError =>
      new ValidationError(
        'fetch-failed',
        `The document ${urlOf(destination)} is larger than ${maxBytes} bytes`,
      );
    const chunks: Buffer[] = [];
    let size = 0;
    const take = (chunk: Buffer): undefined => {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge();
      chunks.push(chunk);
    };
    const job = { destination, ...context, ...(method && { method }) };
    const { head, url } = await this.#get(
      job,
      { 'accept-encoding': 'gzip' },
      false,
      ({ status, headers }) => {
        if (status === 200 || accept.includes(status)) return take;
        throw new TransferError(`status ${status}`, {
          retryable: isRetryableStatus(status),
          retryAfterMs: retryAfterMs(headers['retry-after']),
        });
      },
    );
    const body = await decoded(Buffer.concat(chunks), head.headers['content-encoding'], maxBytes, tooLarge);
    const { status, headers } = head;
    return { status, headers, contentType: headers['content-type'] ?? '', body, url: url.href };
  }

  /** One GET or HEAD, along its redirects. */
  async #get(
    {
      destination,
      signal,
      method,
    }: { destination: Destination; signal: AbortSignal; method?: 'GET' | 'HEAD' },
    headers: Record<string, string>,
    digestKnown: boolean,
    onAnswer: (head: ResponseHead) => BodyTaker,
  ): Promise<{ head: ResponseHead; url: URL }> {
    let current = destination;
    for (let redirects = 0; ; redirects += 1) {
      assertAuthentic(current, digestKnown);
      const { url, insecure, trusted } = current;
      const guarded = !trusted && !this.#options.allowPrivateNetworks;
      const dispatcher = await this.#options.dispatchers.connectionTo(url, { guarded, insecure }, signal);
      const head = await httpGet(
        dispatcher,
        url,
        { ...current.headers, ...headers },
        signal,
        (answer) => (isRedirect(answer) ? null : onAnswer(answer)),
        method,
        this.#options.patience,
      );
      if (!isRedirect(head)) return { head, url };
      if (redirects === REDIRECTS)
        throw new TransferError(`more than ${REDIRECTS} redirects`, { retryable: false });
      current = redirected(current, head.headers.location!);
    }
  }

  /** A server that says when to come back is not asked before by the others either. */
  async #heeding<T>(host: string, attempt: () => Promise<T>): Promise<T> {
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof TransferError && error.retryAfterMs !== null) {
        this.#options.slots.hold(host, error.retryAfterMs);
      }
      throw error;
    }
  }

  async #retrying<T>(
    {
      destination,
      log,
      signal,
      method = 'GET',
      retries = Infinity,
      retriesUnreachable = Infinity,
    }: FetchContext & Pick<DocumentJob, 'destination' | 'method' | 'retries' | 'retriesUnreachable'>,
    firstPriority: number,
    work: {
      attempt(): Promise<T>;
      /** Puts the work into order after a failure; returns how far it had come. */
      recover(): Promise<number>;
    },
  ): Promise<T> {
    const { slots, retryPolicy, onRetry } = this.#options;
    const slot = { host: destination.url.host, priority: firstPriority, owner: signal };
    let retry = 0;
    let mark = 0;
    for (;;) {
      try {
        return await slots.run(slot, signal, () => this.#heeding(slot.host, work.attempt));
      } catch (error) {
        if (!(error instanceof TransferError)) throw error;
        const reached = await work.recover();
        if (reached >= mark + PROGRESS_BYTES) {
          mark = reached;
          retry = 0;
        }
        retry += 1;
        const mostRetries = Math.min(
          retryPolicy.retries,
          retries,
          error.isUnreachable ? retriesUnreachable : Infinity,
        );
        if (!error.retryable || retry > mostRetries) throw failure(destination, error);
        const wait = error.retryAfterMs ?? retryPolicy.wait(retry);
        log.warn(
          `retry ${retry} of ${mostRetries} in ${(wait / 1000).toFixed(1)} s: ${method} ${urlOf(destination)}: ${error.message}`,
        );
        onRetry?.();
        slot.priority = Math.min(firstPriority, PRIORITY.retry);
        await sleep(wait, undefined, { signal }).catch(() => signal.throwIfAborted());
      }
    }
  }
}

function isRedirect({ status, headers }: ResponseHead): boolean {
  return [301, 302, 303, 307, 308].includes(status) && headers.location !== undefined;
}

const unzip = promisify(gunzip);

async function decoded(
  body: Buffer,
  encoding: string | undefined,
  maxBytes: number,
  tooLarge: () => Error,
): Promise<Buffer> {
  if (encoding === undefined || encoding === 'identity' || body.length === 0) return body;
  if (encoding !== 'gzip' && encoding !== 'x-gzip') {
    throw new TransferError(`unknown content encoding ${encoding}`, { retryable: false });
  }
  return unzip(body, { maxOutputLength: maxBytes }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge();
    throw new TransferError(`damaged gzip encoding: ${error.message}`, { cause: error });
  });
}

function failure(destination: Destination, error: TransferError): NetworkError {
  const url = urlOf(destination);
  const reason = maskCredentials(error.message);
  return new NetworkError('fetch-failed', `Could not download ${url}: ${reason}`, {
    details: { url, reason },
    retryable: error.retryable,
    cause: error,
  });
}

function urlOf({ url }: Destination): string {
  return maskCredentials(url.href);
}
