import { mountBlob } from '../../domain/registry/blobs.ts';
import { RegistryError } from '../../domain/registry/errors.ts';
import type { ImageName } from '../../domain/registry/image-name.ts';
import type { Chunk } from '../../domain/registry/receive-chunk.ts';
import { type Address, isAddress, parseAddress } from '../../domain/registry/reference.ts';
import {
  appendToUpload,
  cancelUpload,
  finishUpload,
  startUpload,
  uploadBlob,
  uploadProgress,
} from '../../domain/registry/uploads.ts';
import { type OciExchange, rangeReceived } from './oci-exchange.ts';

/** POST: a mount, a whole blob in one request, or an upload that goes on (oci-registry.md 4). */
export async function beginUpload(exchange: OciExchange, name: string): Promise<void> {
  const { registry, principal, query } = exchange;
  const image = exchange.image(name);
  const mounted = query.get('mount');
  if (mounted !== null) {
    const isMounted =
      isAddress(mounted) && (await mountBlob(registry, principal, image, mounted, query.get('from') || null));
    if (isMounted) return sendBlob(exchange, image, mounted);
  } else if (query.has('digest')) {
    const address = parseAddress(query.get('digest')!);
    await uploadBlob(registry, principal, image, address, chunkOf(exchange));
    return sendBlob(exchange, image, address);
  }
  const id = await startUpload(registry, principal, image);
  sendUpload(exchange, 202, image, id, 0);
}

export async function readUpload(exchange: OciExchange, name: string, id: string): Promise<void> {
  const { registry, principal } = exchange;
  const image = exchange.image(name);
  sendUpload(exchange, 204, image, id, await uploadProgress(registry, principal, image, id));
}

export async function continueUpload(exchange: OciExchange, name: string, id: string): Promise<void> {
  const { registry, principal } = exchange;
  const image = exchange.image(name);
  const size = await appendToUpload(registry, principal, image, id, chunkOf(exchange));
  sendUpload(exchange, 202, image, id, size);
}

export async function endUpload(exchange: OciExchange, name: string, id: string): Promise<void> {
  const { registry, principal, query } = exchange;
  const image = exchange.image(name);
  const address = parseAddress(query.get('digest') ?? '');
  await finishUpload(registry, principal, image, id, address, chunkOf(exchange));
  sendBlob(exchange, image, address);
}

export async function dropUpload(exchange: OciExchange, name: string, id: string): Promise<void> {
  const { registry, principal } = exchange;
  await cancelUpload(registry, principal, exchange.image(name), id);
  exchange.send(204, {});
}

function sendBlob(exchange: OciExchange, image: ImageName, address: Address): void {
  exchange.send(201, {
    location: exchange.path(image, `blobs/${address}`),
    'docker-content-digest': address,
  });
}

function sendUpload(exchange: OciExchange, status: number, image: ImageName, id: string, size: number): void {
  exchange.send(status, {
    location: exchange.path(image, `blobs/uploads/${id}`),
    range: rangeReceived(size),
    'docker-upload-uuid': id,
  });
}

function chunkOf({ request, arrivedAt }: OciExchange): Chunk {
  const { 'content-length': length, 'content-range': range, 'transfer-encoding': encoding } = request.headers;
  return {
    body: request.raw,
    arrivedAt,
    isOnlyOurs: true,
    contentLength: length === undefined ? (encoding === undefined ? 0 : null) : Number(length),
    range: range === undefined ? null : rangeOf(range),
  };
}

/** Docker writes no unit, others do. */
const CONTENT_RANGE = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/;

function rangeOf(header: string): { first: number; last: number } {
  const [, first, last] = CONTENT_RANGE.exec(header.trim()) ?? [];
  if (first !== undefined) return { first: Number(first), last: Number(last) };
  throw new RegistryError('blob-upload-invalid', 'the Content-Range must be FIRST-LAST');
}
