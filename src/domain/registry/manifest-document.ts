import { RegistryError } from './errors.ts';
import { type Address, isAddress } from './reference.ts';

/** What the registry must know of a manifest. Its bytes are kept as they came. */
export interface ManifestDocument {
  mediaType: string;
  kind: 'image' | 'index';
  config: Descriptor | null;
  layers: Descriptor[];
  /** Of an index: manifests, or blobs where a build cache is kept as one. */
  children: Descriptor[];
  subject: Address | null;
  /** As lists of referrers tell it (oci-registry.md 8). */
  artifactType: string | null;
  annotations: Record<string, string> | null;
}

export interface Descriptor {
  mediaType: string;
  address: Address;
  size: number;
  /** A copy of the bytes, unchecked. */
  data: Buffer | null;
  platform: Platform | null;
}

export interface Platform {
  os: string | null;
  architecture: string | null;
  variant: string | null;
}

const KINDS = new Map<string, ManifestDocument['kind']>([
  ['application/vnd.oci.image.manifest.v1+json', 'image'],
  ['application/vnd.docker.distribution.manifest.v2+json', 'image'],
  ['application/vnd.oci.image.index.v1+json', 'index'],
  ['application/vnd.docker.distribution.manifest.list.v2+json', 'index'],
]);

const SCHEMA_1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+(?:json|prettyjws)$/;

/** Layers of these types may be fetched from elsewhere only, and need not be here. */
const NOT_DISTRIBUTED =
  /^application\/vnd\.(oci\.image\.layer\.nondistributable\.v1\.tar|docker\.image\.rootfs\.foreign\.diff\.tar)/;

export function isDistributed(layer: Descriptor): boolean {
  return !NOT_DISTRIBUTED.test(layer.mediaType);
}

/** Throws `manifest-invalid`. `contentType` is the header; null: the document says it. */
export function parseManifest(bytes: Buffer, contentType: string | null): ManifestDocument {
  const document = parseObject(bytes);
  const mediaType = mediaTypeOf(document, contentType);
  const kind = KINDS.get(mediaType);
  if (document.schemaVersion === 1 || SCHEMA_1.test(mediaType)) {
    throw invalid('manifests of schema 1 are not supported');
  }
  if (!kind) throw invalid(`"${mediaType.slice(0, 200)}" is not a media type of a manifest`);
  if (document.schemaVersion !== 2) throw invalid('schemaVersion must be 2');
  if (kind === 'index' && ('layers' in document || 'config' in document)) {
    throw invalid('an index has neither config nor layers');
  }
  if (kind === 'image' && 'manifests' in document) throw invalid('an image has no manifests');
  const config = kind === 'image' ? descriptor(document.config, 'config') : null;
  const ownType = textOf(document.artifactType, 'artifactType');
  return {
    mediaType,
    kind,
    config,
    layers: kind === 'image' ? descriptors(document.layers ?? [], 'layers') : [],
    children: kind === 'index' ? descriptors(document.manifests, 'manifests') : [],
    subject: document.subject == null ? null : descriptor(document.subject, 'subject').address,
    artifactType: ownType || (config?.mediaType ?? null),
    annotations: annotationsOf(document.annotations),
  };
}

type JsonObject = Record<string, unknown>;

function parseObject(bytes: Buffer): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw invalid('the manifest is not JSON');
  }
  if (!isObject(value)) throw invalid('the manifest is not a JSON object');
  return value;
}

function mediaTypeOf(document: JsonObject, contentType: string | null): string {
  const header = (contentType ?? '').split(';', 1)[0]!.trim().toLowerCase() || null;
  const own = textOf(document.mediaType, 'mediaType');
  if (header !== null && own !== null && own !== header) {
    throw invalid(`mediaType is "${own}", but the Content-Type is "${header.slice(0, LONGEST_TYPE)}"`);
  }
  const mediaType = header ?? own;
  if (mediaType === null) throw invalid('the manifest has no media type');
  return mediaType;
}

function descriptors(value: unknown, field: string): Descriptor[] {
  if (!Array.isArray(value)) throw invalid(`${field} must be an array`);
  return value.map((one, index) => descriptor(one, `${field}[${index}]`));
}

function descriptor(value: unknown, field: string): Descriptor {
  if (!isObject(value)) throw invalid(`${field} must be a descriptor`);
  const { mediaType, digest, size, data, platform } = value;
  if (typeof digest !== 'string' || !isAddress(digest)) {
    throw invalid(`${field} must have a digest of sha256 or sha512`);
  }
  if (!Number.isSafeInteger(size) || (size as number) < 0) throw invalid(`${field} must have a size`);
  return {
    mediaType: textOf(mediaType, `${field}.mediaType`) ?? '',
    address: digest,
    size: size as number,
    data: typeof data === 'string' ? Buffer.from(data, 'base64') : null,
    platform: isObject(platform) ? platformOf(platform) : null,
  };
}

/** Words only: what else a config may hold there is of no use to anybody. */
export function platformOf(value: Record<string, unknown>): Platform {
  const word = (one: unknown): string | null =>
    typeof one === 'string' && /^[\w.+-]{1,64}$/.test(one) ? one : null;
  return { os: word(value.os), architecture: word(value.architecture), variant: word(value.variant) };
}

const LONGEST_TYPE = 255;

function textOf(value: unknown, field: string): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string' && value.length <= LONGEST_TYPE && !/[\0-\x1f\x7f]/.test(value)) return value;
  throw invalid(`${field} must be a short text`);
}

function annotationsOf(value: unknown): Record<string, string> | null {
  if (value === undefined || value === null) return null;
  if (!isObject(value) || !Object.values(value).every((one) => typeof one === 'string')) {
    throw invalid('annotations must be texts by name');
  }
  return value as Record<string, string>;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(message: string): RegistryError {
  return new RegistryError('manifest-invalid', message);
}
