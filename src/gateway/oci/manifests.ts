import type { FastifyRequest } from 'fastify';
import { RegistryError } from '../../domain/registry/errors.ts';
import { findManifest, pullManifest, removeManifest } from '../../domain/registry/manifests.ts';
import { requireMayPush } from '../../domain/registry/push-access.ts';
import { putManifest } from '../../domain/registry/put-manifest.ts';
import { isTag, parseReference } from '../../domain/registry/reference.ts';
import { selectRange } from '../downloads/conditional-request.ts';
import type { OciExchange } from './oci-exchange.ts';

/** GET and HEAD: the stored bytes under their own type, whatever the client would like (oci-registry.md 6). */
export async function readManifest(exchange: OciExchange, name: string, text: string): Promise<void> {
  const { registry, principal, request } = exchange;
  const reference = parseReference(text);
  const manifest = await findManifest(registry, principal, exchange.image(name), reference);
  const etag = `"${manifest.address}"`;
  const headers = { 'docker-content-digest': manifest.address, etag };
  const { status } = selectRange('HEAD', request.headers, { etag, lastModified: null }, manifest.size);
  if (status === 304) return exchange.send(304, headers);
  const all = { ...headers, 'content-type': manifest.mediaType, 'content-length': manifest.size };
  if (request.method === 'HEAD') return exchange.send(200, all);
  exchange.send(200, all, await pullManifest(registry, manifest, reference));
}

export async function writeManifest(exchange: OciExchange, name: string, text: string): Promise<void> {
  const { registry, principal, request, query } = exchange;
  const image = exchange.image(name);
  const reference = parseReference(text);
  const tags = query.getAll('tag');
  if (!reference || !tags.every(isTag)) {
    throw new RegistryError('manifest-invalid', 'the reference is neither a tag nor a digest');
  }
  // Nobody makes us read a manifest that they may not push.
  await requireMayPush(registry, principal, image);
  const bytes = await readBody(request, registry.settings.limits.manifestBytes);
  const contentType = request.headers['content-type'] ?? null;
  const pushed = await exchange.audited('pushManifest', { image: image.path, reference: text, tags }, () =>
    putManifest(registry, principal, image, { reference, tags, bytes, contentType }),
  );
  exchange.send(201, {
    location: exchange.path(image, `manifests/${pushed.address}`),
    'docker-content-digest': pushed.address,
    ...(pushed.subject && { 'oci-subject': pushed.subject }),
    ...(tags.length > 0 && { 'oci-tag': [...new Set(tags)] }),
  });
}

export async function dropManifest(exchange: OciExchange, name: string, text: string): Promise<void> {
  const { registry, principal } = exchange;
  const image = exchange.image(name);
  await exchange.audited('deleteManifest', { image: image.path, reference: text }, () =>
    removeManifest(registry, principal, image, parseReference(text)),
  );
  exchange.send(202, {});
}

/** Throws `manifest-too-large` as soon as that is known. */
async function readBody(request: FastifyRequest, mostBytes: number): Promise<Buffer> {
  const tooLarge = new RegistryError('manifest-too-large', `a manifest may have at most ${mostBytes} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > mostBytes) throw tooLarge;
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request.raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > mostBytes) throw tooLarge;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
