import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { BlobStoreUnavailableError } from '../errors.ts';
import type { ByteRange } from './blob-store.ts';

export interface S3Location {
  bucket: string;
  /** Of all keys; empty, or ends in a slash. */
  prefix: string;
  /** null: that of AWS. */
  endpoint: string | null;
}

export interface S3Object {
  key: string;
  size: number;
  /** By the clock of the server, in whole seconds. */
  writtenAt: Date;
}

/**
 * Objects below a prefix of a bucket. Keys are given without the prefix. Credentials, region, retries and certificates are
 * those of the usual AWS settings (`AWS_ACCESS_KEY_ID`, `AWS_REGION`, `AWS_MAX_ATTEMPTS`, profiles, roles, …).
 *
 * What the server refuses or does not answer is a BlobStoreUnavailableError, whoever asked; what is not there is null, or
 * one of the errors that {@link isMissing} knows.
 */
export class S3Bucket {
  readonly client: S3Client;
  readonly name: string;
  readonly #prefix: string;
  readonly #configuration: S3ClientConfig;
  #impatient: S3Client | null = null;

  constructor({ bucket, prefix, endpoint }: S3Location) {
    this.name = bucket;
    this.#prefix = prefix;
    this.#configuration = {
      // A server of one's own has its buckets in the path, and regions only in name.
      ...(endpoint !== null && {
        endpoint,
        forcePathStyle: true,
        region: process.env.AWS_REGION ?? 'us-east-1',
      }),
      // Bytes that are sent are signed with their sha256, and read ones are checked where their digest is: a further sum
      // over all of them would only cost.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: {
        connectionTimeout: 5_000,
        requestTimeout: 60_000,
        throwOnRequestTimeout: true,
        socketTimeout: 60_000,
        httpAgent: { keepAlive: true, maxSockets: MOST_SOCKETS },
        httpsAgent: { keepAlive: true, maxSockets: MOST_SOCKETS },
      },
    };
    this.client = new S3Client(this.#configuration);
  }

  /** What every command says of the object that it is about. */
  target(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.name, Key: this.#prefix + key };
  }

  /** As copies name their source. */
  source(key: string): string {
    return encodeURI(`${this.name}/${this.#prefix}${key}`);
  }

  /** Runs a call of the client: its errors become ours. */
  async call<T>(
    run: (options: { abortSignal?: AbortSignal }) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await run(signal ? { abortSignal: signal } : {});
    } catch (error) {
      signal?.throwIfAborted();
      throw asOurs(error);
    }
  }

  async head(key: string): Promise<S3Object | null> {
    try {
      const found = await this.call((options) =>
        this.client.send(new HeadObjectCommand(this.target(key)), options),
      );
      return { key, size: found.ContentLength!, writtenAt: found.LastModified! };
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  /** With `ifAbsent` false when there is such an object; then nothing has changed. */
  async put(
    key: string,
    body: Uint8Array,
    { ifAbsent = false, signal }: { ifAbsent?: boolean; signal?: AbortSignal | undefined } = {},
  ): Promise<boolean> {
    const condition = ifAbsent ? { IfNoneMatch: '*' } : {};
    const input = { ...this.target(key), ...condition, Body: body, ContentLength: body.byteLength };
    for (;;) {
      try {
        await this.call((options) => this.client.send(new PutObjectCommand(input), options), signal);
        return true;
      } catch (error) {
        const status = statusOf(error);
        if (ifAbsent && status === 412) return false;
        // Others write the same just now.
        if (!ifAbsent || status !== 409) throw error;
        await sleep(CONFLICT_MS, undefined, signal ? { signal } : {});
      }
    }
  }

  /** A connection that breaks in the middle is made anew from there. `missing` is thrown where there is no such object. */
  read(key: string, range: ByteRange | undefined, missing: () => Error): Readable {
    return Readable.from(this.#bytes(key, range, missing), { objectMode: false, highWaterMark: 256 * 1024 });
  }

  /** The same in one piece, shorter where the object ends before the range does. */
  async readPart(key: string, range: ByteRange, missing?: () => Error): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for await (const piece of this.#bytes(key, range, missing)) pieces.push(piece);
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  }

  async copy(from: string, to: string): Promise<void> {
    const input = { ...this.target(to), CopySource: this.source(from) };
    await this.call((options) => this.client.send(new CopyObjectCommand(input), options));
  }

  async remove(key: string): Promise<void> {
    await this.call((options) => this.client.send(new DeleteObjectCommand(this.target(key)), options));
  }

  /** The same, asked for a single time: it does not happen once more after it has happened. */
  async removeOnce(key: string): Promise<void> {
    this.#impatient ??= new S3Client({ ...this.#configuration, maxAttempts: 1 });
    const client = this.#impatient;
    await this.call((options) => client.send(new DeleteObjectCommand(this.target(key)), options));
  }

  async removeAll(keys: readonly string[]): Promise<void> {
    for (let at = 0; at < keys.length; at += PAGE) {
      const Objects = keys.slice(at, at + PAGE).map((key) => ({ Key: this.#prefix + key }));
      const input = { Bucket: this.name, Delete: { Objects, Quiet: true } };
      const { Errors: [failed] = [] } = await this.call((options) =>
        this.client.send(new DeleteObjectsCommand(input), options),
      );
      if (failed)
        throw new BlobStoreUnavailableError(`The blob store did not delete ${failed.Key}: ${failed.Code}`);
    }
  }

  /** In the order of their keys, from the first one behind `after`. */
  async *list(below: string, after?: string): AsyncGenerator<S3Object> {
    const start = after === undefined ? {} : { StartAfter: this.#prefix + after };
    const first = { Bucket: this.name, Prefix: this.#prefix + below, ...start };
    let token: string | undefined;
    do {
      const input = token === undefined ? first : { ...first, ContinuationToken: token };
      const page = await this.call((options) => this.client.send(new ListObjectsV2Command(input), options));
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        yield { key: Key!.slice(this.#prefix.length), size: Size!, writtenAt: LastModified! };
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  /** Throws where there is no such bucket, or it is not ours. */
  async check(): Promise<void> {
    try {
      await this.call((options) => this.client.send(new HeadBucketCommand({ Bucket: this.name }), options));
    } catch (error) {
      throw isMissing(error) ? new BlobStoreUnavailableError(`There is no bucket ${this.name}`) : error;
    }
  }

  async presignedUrl(key: string, seconds: number): Promise<string> {
    return await getSignedUrl(this.client, new GetObjectCommand(this.target(key)), { expiresIn: seconds });
  }

  /** Without `missing` throws what {@link isMissing} knows. */
  async *#bytes(key: string, range?: ByteRange, missing?: () => Error): AsyncGenerator<Buffer> {
    let position = range?.start ?? 0;
    const wanted = range?.end ?? Number.POSITIVE_INFINITY;
    let end = wanted;
    for (let failures = 0; position < end; ) {
      const { body, size } = await this.#open(key, position, wanted).catch((error: unknown) => {
        throw missing && isMissing(error) ? missing() : error;
      });
      end = position + size;
      try {
        for await (const piece of body as AsyncIterable<Buffer>) {
          position += piece.length;
          failures = 0;
          yield piece;
        }
        if (position < end) throw new Error('the connection ended too early');
      } catch (error) {
        failures += 1;
        if (failures > MOST_FAILURES) throw asOurs(error);
      } finally {
        body.destroy();
      }
    }
  }

  async #open(key: string, start: number, end: number): Promise<{ body: Readable; size: number }> {
    const last = end === Number.POSITIVE_INFINITY ? '' : end - 1;
    const range = start === 0 && last === '' ? {} : { Range: `bytes=${start}-${last}` };
    try {
      const found = await this.call((options) =>
        this.client.send(new GetObjectCommand({ ...this.target(key), ...range }), options),
      );
      return { body: found.Body as Readable, size: found.ContentLength! };
    } catch (error) {
      // Nothing of the object lies there.
      if (statusOf(error) === 416) return { body: Readable.from([]), size: 0 };
      throw error;
    }
  }
}

/** Every reader has one, and those that wait for their client keep it. */
const MOST_SOCKETS = 1_000;
const CONFLICT_MS = 50;
/** Of connections in a row that bring nothing. */
const MOST_FAILURES = 3;
const PAGE = 1_000;

/** No such object, or no such upload of parts. A bucket that is missing is not one that lacks something. */
export function isMissing(error: unknown): boolean {
  return statusOf(error) === 404 && (error as Error).name !== 'NoSuchBucket';
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

/** Answers that say something of the object, not of the server. */
const OF_THE_OBJECT = new Set([404, 409, 412, 416]);

function asOurs(error: unknown): unknown {
  const isOfObject = OF_THE_OBJECT.has(statusOf(error) ?? 0) && (error as Error).name !== 'NoSuchBucket';
  if (isOfObject || error instanceof BlobStoreUnavailableError) return error;
  const { name, message, code } = error as Error & { code?: string };
  const reason = [code ?? name, message].filter(Boolean).join(': ');
  return new BlobStoreUnavailableError(`The blob store does not do what it is asked for: ${reason}`, {
    cause: error,
    hint: 'Look at the S3 server, and at STOWAGE_BLOB_STORE, STOWAGE_S3_ENDPOINT and the AWS settings.',
  });
}
