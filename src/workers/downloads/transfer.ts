import { createHash, type Hash } from 'node:crypto';
import { InvalidChecksum, ValidationError } from '../../domain/errors.ts';
import type { BlobStore, BlobWriter, StoredBlob } from '../../domain/storage/blob-store.ts';
import type { ExpectedDigest, HashAlgorithm } from './artifact-store.ts';
import { type BodyTaker, type ResponseHead, TransferError } from './http-get.ts';
import { maskCredentials } from './mask-credentials.ts';
import { isRetryableStatus, retryAfterMs } from './retry-policy.ts';

export interface TransferRequest {
  /** For messages: the name and the URL that users know. */
  fileName: string;
  url: string;
  expected: readonly ExpectedDigest[];
  /** Hash with these besides sha256. */
  algorithms: readonly HashAlgorithm[];
  maxBytes: number;
  blobs: BlobStore;
  /** Called for the bytes as they come. */
  onBytes?: (count: number) => void;
}

export interface TransferredFile {
  blob: StoredBlob;
  digests: Partial<Record<HashAlgorithm, string>> & { sha256: string };
}

/** Pieces are written together, so that a small file costs one write. */
const WRITE_BYTES = 512 * 1024;

/**
 * The bytes of one file on their way into the blob store, over as many responses as it takes: hashed as they pass, and
 * continued where the last response broke off when the server can tell that the file is still the same.
 */
export class Transfer {
  readonly #request: TransferRequest;
  readonly #algorithms: readonly HashAlgorithm[];
  #writer: BlobWriter | null = null;
  #hashes: [HashAlgorithm, Hash][] = [];
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #received = 0;
  /** Proof that a later part belongs to the same file; null: start again. */
  #validator: string | null = null;
  #total: number | null = null;

  constructor(request: TransferRequest) {
    this.#request = request;
    const { algorithms, expected } = request;
    this.#algorithms = [...new Set([...algorithms, ...expected.map((digest) => digest.algorithm)])];
    this.#start();
  }

  get received(): number {
    return this.#received;
  }

  /** What the next request must say so that the server sends the rest only. */
  get rangeHeaders(): Record<string, string> {
    if (!this.#validator || this.#received === 0) return {};
    return { range: `bytes=${this.#received}-`, 'if-range': this.#validator };
  }

  /** Looks at a response that is no redirect. Throws TransferError or ValidationError when it is not the file. */
  begin(head: ResponseHead): BodyTaker {
    const { status, headers } = head;
    if (status === 206 && this.#received > 0) {
      this.#continue(head);
      return (chunk) => this.#take(chunk);
    }
    if (status === 416 && this.#received > 0) {
      this.#validator = null;
      throw new TransferError('status 416, starting again');
    }
    if (status !== 200) {
      throw new TransferError(`status ${status}`, {
        retryable: isRetryableStatus(status),
        retryAfterMs: retryAfterMs(headers['retry-after']),
      });
    }
    this.#total = contentLength(headers['content-length']);
    this.#limit(this.#total ?? 0);
    this.#validator = validatorOf(head);
    if (this.#received === 0) return (chunk) => this.#take(chunk);
    const dropped = this.#drop();
    this.#start();
    return (chunk) => (this.#received === 0 ? dropped.then(() => this.#take(chunk)) : this.#take(chunk));
  }

  /** The response has ended. Throws TransferError when that is not all. */
  complete(): void {
    if (this.#total !== null && this.#received !== this.#total) {
      throw new TransferError(`${this.#received} of ${this.#total} bytes came`);
    }
  }

  /** Verifies and stores the file. Throws InvalidChecksum. */
  async finish(): Promise<TransferredFile> {
    const digests: Partial<Record<HashAlgorithm, string>> = {};
    for (const [algorithm, hash] of this.#hashes) digests[algorithm] = hash.digest('hex');
    verifyDigests(this.#request, digests);
    await this.#flush();
    const writer = this.#writer!;
    this.#writer = null;
    const blob = await writer.commit();
    return { blob, digests: { ...digests, sha256: blob.digest.slice('sha256:'.length) } };
  }

  /** After a response that broke off: forgets what cannot be continued. */
  async recover(): Promise<void> {
    if (this.#validator === null) await this.reset();
  }

  /** Forgets what came so far. */
  async reset(): Promise<void> {
    await this.#drop();
    this.#start();
  }

  #start(): void {
    this.#hashes = this.#algorithms.map((algorithm) => [algorithm, createHash(algorithm)]);
    this.#received = 0;
  }

  #drop(): Promise<void> {
    const writer = this.#writer;
    this.#writer = null;
    this.#validator = null;
    this.#waiting = [];
    this.#waitingBytes = 0;
    return writer?.abort() ?? Promise.resolve();
  }

  #continue({ headers }: ResponseHead): void {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers['content-range'] ?? '');
    const total = range?.[2] === undefined || range[2] === '*' ? this.#total : Number(range[2]);
    if (Number(range?.[1]) === this.#received && (this.#total === null || total === this.#total)) return;
    this.#validator = null;
    throw new TransferError('the answer is another part than was asked for');
  }

  #take(chunk: Buffer): Promise<void> | undefined {
    this.#limit(this.#received + chunk.length);
    this.#received += chunk.length;
    for (const [, hash] of this.#hashes) hash.update(chunk);
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    this.#request.onBytes?.(chunk.length);
    return this.#waitingBytes >= WRITE_BYTES ? this.#flush() : undefined;
  }

  async #flush(): Promise<void> {
    const chunks = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#writer ??= await this.#request.blobs.createWriter({ durability: 'batch' });
    if (chunks.length > 0) await this.#writer.write(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
  }

  #limit(size: number): void {
    const { maxBytes, fileName } = this.#request;
    if (size <= maxBytes) return;
    throw new ValidationError('fetch-failed', `The file ${fileName} is larger than ${maxBytes} bytes`, {
      details: { file: fileName, url: maskCredentials(this.#request.url), maxBytes },
      hint: 'artifactBytes in STOWAGE_LIMITS raises the limit.',
    });
  }
}

const STRENGTH: readonly HashAlgorithm[] = ['sha512', 'sha384', 'sha256', 'sha1', 'md5'];

/** The content must match at least one of the expected digests, if any. Throws InvalidChecksum (cachito.md, row 11). */
function verifyDigests(
  { fileName, url, expected }: Pick<TransferRequest, 'fileName' | 'url' | 'expected'>,
  digests: Partial<Record<HashAlgorithm, string>>,
): void {
  if (expected.length === 0 || expected.some(({ algorithm, hex }) => digests[algorithm] === hex)) return;
  const rank = (digest: ExpectedDigest): number => STRENGTH.indexOf(digest.algorithm);
  const strongest = expected.reduce((best, digest) => (rank(digest) < rank(best) ? digest : best));
  const actual = digests[strongest.algorithm];
  const message = `The file ${fileName} has an unexpected checksum value, expected ${strongest.hex} but computed ${actual}`;
  throw new InvalidChecksum('checksum-mismatch', message, {
    details: {
      file: fileName,
      algorithm: strongest.algorithm,
      expected: strongest.hex,
      actual,
      url: maskCredentials(url),
    },
  });
}

function contentLength(header: string | undefined): number | null {
  return header !== undefined && /^\d+$/.test(header) ? Number(header) : null;
}

/** A strong ETag, or a date that is strong by RFC 9110 8.8.2.2; null when the server does not serve parts. */
function validatorOf({ headers }: ResponseHead): string | null {
  if (headers['accept-ranges'] === 'none') return null;
  const { etag, 'last-modified': modified, date } = headers;
  if (etag && !etag.startsWith('W/')) return etag;
  if (!modified || !date) return null;
  return Date.parse(date) - Date.parse(modified) >= 1000 ? modified : null;
}
