import { once } from 'node:events';
import { NotFoundError } from '../../domain/errors.ts';
import { deleteBlob, findBlob, type ReadableBlob } from '../../domain/registry/blobs.ts';
import { RegistryError } from '../../domain/registry/errors.ts';
import { parseAddress } from '../../domain/registry/reference.ts';
import type { ByteRange } from '../../domain/storage/blob-store.ts';
import { type Selection, selectRange } from '../downloads/conditional-request.ts';
import { SentFile } from '../downloads/send-file.ts';
import { type OciExchange, takeRaw } from './oci-exchange.ts';
import { sendStream } from './send-stream.ts';

/** GET and HEAD, with ranges (oci-registry.md 5). Bytes flow from the store to the socket. */
export async function readBlob(exchange: OciExchange, name: string, text: string): Promise<void> {
  const { registry, principal, request } = exchange;
  const address = parseAddress(text);
  const blob = await findBlob(registry, principal, exchange.image(name), address);
  const etag = `"${address}"`;
  const headers = {
    'docker-content-digest': address,
    etag,
    'accept-ranges': 'bytes',
    'cache-control': 'max-age=31536000',
  };
  const selection = select(exchange, etag, blob.size);
  switch (selection.status) {
    case 304:
      return exchange.send(304, headers);
    case 412:
      return exchange.send(412, headers);
    case 416: {
      const range = `bytes */${blob.size}`;
      const error = { code: 'SIZE_INVALID', message: 'nothing of the blob lies in this range', detail: {} };
      return exchange.sendJson(
        416,
        { errors: [error] },
        { 'docker-content-digest': address, 'content-range': range },
      );
    }
  }
  const { start, end } = selection.range;
  const all = {
    ...headers,
    'content-type': 'application/octet-stream',
    'content-length': end - start,
    ...(selection.status === 206 && { 'content-range': `bytes ${start}-${end - 1}/${blob.size}` }),
  };
  if (request.method === 'HEAD' || start === end) return exchange.send(selection.status, all);
  const location = await elsewhere(exchange, blob);
  if (location !== null) {
    // Asked for with the same range there; the place is good for a while only.
    return exchange.send(307, { 'docker-content-digest': address, location, 'cache-control': 'no-store' });
  }
  await sendBytes(exchange, selection.status, all, blob, selection.range);
}

export async function dropBlob(exchange: OciExchange, name: string, text: string): Promise<void> {
  const { registry, principal } = exchange;
  const image = exchange.image(name);
  const digest = parseAddress(text);
  await exchange.audited('deleteBlob', { image: image.path, digest }, () =>
    deleteBlob(registry, principal, image, digest),
  );
  exchange.send(202, {});
}

/** A range that ends before it begins lies nowhere. */
const SINGLE_RANGE = /^bytes=(\d+)-(\d+)$/;

function select({ request }: OciExchange, etag: string, size: number): Selection {
  const selection = selectRange(request.method, request.headers, { etag, lastModified: null }, size);
  const [, first, last] = SINGLE_RANGE.exec(request.headers.range ?? '') ?? [];
  const isHonoured = request.method === 'GET' && (request.headers['if-range'] ?? etag) === etag;
  return selection.status === 200 && isHonoured && Number(last) < Number(first) ? { status: 416 } : selection;
}

/** Where the store itself gives the blob to the client, when the operator wants that (oci-registry.md 5); else null. */
async function elsewhere(
  { registry: { blobs, settings } }: OciExchange,
  { digest, size, content }: ReadableBlob,
): Promise<string | null> {
  if (!settings.s3Redirects || content || size <= SMALL_BYTES) return null;
  return (await blobs.presignedUrl?.(digest, REDIRECT_SECONDS)) ?? null;
}

/** For the client to begin, not to end. */
const REDIRECT_SECONDS = 10 * 60;

/** Read in one piece up to this size. */
const SMALL_BYTES = 256 * 1024;

async function sendBytes(
  exchange: OciExchange,
  status: 200 | 206,
  headers: Parameters<typeof takeRaw>[2],
  { digest, content }: ReadableBlob,
  range: ByteRange,
): Promise<void> {
  const { blobs } = exchange.registry;
  if (content) return exchange.send(status, headers, content.subarray(range.start, range.end));
  try {
    if (range.end - range.start <= SMALL_BYTES) {
      return exchange.send(status, headers, await blobs.readPart(digest, range));
    }
    // What is missing is told before the first header: a status can be given then.
    const path = blobs.localPath(digest);
    if (path !== null) {
      const file = await SentFile.open(path);
      return await file.send(range, takeRaw(exchange.reply, status, headers));
    }
    const stream = blobs.read(digest, range);
    await once(stream, 'readable');
    await sendStream(stream, takeRaw(exchange.reply, status, headers));
  } catch (error) {
    const isMissing = error instanceof NotFoundError || (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (!isMissing) throw error;
    exchange.request.log.error({ err: error }, 'a blob is not in the store');
    throw new RegistryError('blob-unknown', 'the bytes of this blob are not there', { details: { digest } });
  }
}
