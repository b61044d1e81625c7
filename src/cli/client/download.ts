import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { DomainError } from '../../domain/errors.ts';
import { ConnectionLostError, refused, type StowageClient } from './stowage-client.ts';

export interface Downloaded {
  /** Where it is until {@link Downloaded.keep} is called. */
  temporaryPath: string;
  /** `sha256:<hex>`, as computed and as the server said. */
  digest: string;
  size: number;
  /** Gives it its name, durably. */
  keep(): Promise<void>;
  discard(): Promise<void>;
}

export interface DownloadOptions {
  /** On the server. */
  path: string;
  file: string;
  signal: AbortSignal;
  onProgress?: (bytes: number, total: number | null) => void;
}

const MOST_ATTEMPTS = 6;
const FIRST_DELAY_MS = 200;

/**
 * A file of the server beside its final place: streamed, resumed where a connection broke off, and checked against the
 * `Digest` header. A half-written file never has the final name.
 */
export async function download(client: StowageClient, options: DownloadOptions): Promise<Downloaded> {
  const temporaryPath = join(dirname(options.file), `.${basename(options.file)}.${process.pid}.part`);
  const handle = await open(temporaryPath, 'w');
  const discard = async (): Promise<void> => await rm(temporaryPath, { force: true });
  try {
    const transfer: Transfer = {
      hash: createHash('sha256'),
      bytes: 0,
      total: null,
      etag: null,
      expected: null,
    };
    await receive(client, options, handle, transfer);
    const digest = transfer.hash.digest('hex');
    requireDigest(options.path, transfer.expected, digest);
    await handle.sync();
    return {
      temporaryPath,
      digest: `sha256:${digest}`,
      size: transfer.bytes,
      keep: () => rename(temporaryPath, options.file),
      discard,
    };
  } catch (error) {
    await discard();
    throw error;
  } finally {
    await handle.close();
  }
}

interface Transfer {
  hash: Hash;
  bytes: number;
  total: number | null;
  etag: string | null;
  /** sha256 in hex, of the whole. */
  expected: string | null;
}

async function receive(
  client: StowageClient,
  options: DownloadOptions,
  handle: FileHandle,
  transfer: Transfer,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await receiveOnce(client, options, handle, transfer);
      return;
    } catch (error) {
      const lost = error instanceof ConnectionLostError;
      if (!lost || attempt === MOST_ATTEMPTS || options.signal.aborted) throw error;
      await pause(FIRST_DELAY_MS * 2 ** (attempt - 1), undefined, { signal: options.signal });
    }
  }
}

async function receiveOnce(
  client: StowageClient,
  { path, signal, onProgress }: DownloadOptions,
  handle: FileHandle,
  transfer: Transfer,
): Promise<void> {
  const resume = transfer.bytes > 0 && transfer.etag !== null;
  const response = await client.send(path, {
    signal,
    headers: {
      // Digests are those of the bytes as stored.
      'accept-encoding': 'identity',
      ...(resume && { range: `bytes=${transfer.bytes}-`, 'if-range': transfer.etag! }),
    },
  });
  if (!response.ok) {
    await response.body?.cancel();
    if (response.status >= 500) throw new ConnectionLostError(path, new Error(`status ${response.status}`));
    throw refused(response, path);
  }
  if (response.status !== 206) await startOver(handle, transfer, response);
  try {
    for await (const chunk of response.body!) {
      await handle.write(chunk, 0, chunk.length, transfer.bytes);
      transfer.hash.update(chunk);
      transfer.bytes += chunk.length;
      onProgress?.(transfer.bytes, transfer.total);
    }
  } catch (cause) {
    if (signal.aborted || isFileError(cause)) throw cause;
    throw new ConnectionLostError(path, cause);
  }
  if (transfer.total !== null && transfer.bytes < transfer.total) {
    throw new ConnectionLostError(path, new Error(`only ${transfer.bytes} of ${transfer.total} bytes came`));
  }
}

async function startOver(handle: FileHandle, transfer: Transfer, response: Response): Promise<void> {
  await handle.truncate(0);
  transfer.hash = createHash('sha256');
  transfer.bytes = 0;
  const length = response.headers.get('content-length');
  transfer.total = length === null ? null : Number(length);
  transfer.etag = response.headers.get('etag');
  const stated = /(?:^|,)\s*sha-256=([A-Za-z0-9+/]{43}=)/i.exec(response.headers.get('digest') ?? '')?.[1];
  transfer.expected = stated === undefined ? null : Buffer.from(stated, 'base64').toString('hex');
}

function requireDigest(path: string, expected: string | null, actual: string): void {
  if (expected === null || expected === actual) return;
  throw new DomainError(
    'checksum-mismatch',
    `${path} has the digest sha256:${actual}, but the server said sha256:${expected}`,
    { details: { expected: `sha256:${expected}`, actual: `sha256:${actual}` } },
  );
}

function isFileError(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).syscall === 'write';
}
