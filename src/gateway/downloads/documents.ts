import type { BundleRequest } from '../../domain/bundle-requests/bundle-request.ts';
import { readReport } from '../../domain/bundle-requests/report.ts';
import { readEnvironment } from '../../domain/bundle-requests/setup.ts';
import { readArchive } from '../../domain/bundles/archive-reader.ts';
import { environmentJson, environmentScript } from '../../domain/bundles/consumer-files.ts';
import { contentManifestText } from '../../domain/bundles/content-manifest.ts';
import type { Database } from '../../domain/database/database.ts';
import { findBundle } from '../../domain/database/sql/find-bundle.ts';
import { markBundleDamaged } from '../../domain/database/sql/mark-bundle-damaged.ts';
import {
  ConflictError,
  DomainError,
  type DomainErrorOptions,
  InvalidInputError,
} from '../../domain/errors.ts';
import type { BlobStore } from '../../domain/storage/blob-store.ts';
import type { ArchiveLayouts } from './archive-layouts.ts';
import { blobRepresentation, type Representation, textRepresentation } from './representation.ts';

export interface DocumentContext {
  database: Database;
  blobs: BlobStore;
  layouts: ArchiveLayouts;
}

type OpenDocument = (
  context: DocumentContext,
  request: BundleRequest,
  format: string | null,
) => Promise<Representation>;

/** What a complete request offers, by the last part of the path. */
export const DOCUMENTS: Record<string, OpenDocument> = {
  archive: openBundleArchive,
  manifest,
  sbom: openSbom,
  'content-manifest': imageContentManifest,
  provenance,
  environment,
};

/** Throws DomainError `damaged` for a bundle in which something was found changed. */
export async function openBundleArchive(
  { database, blobs, layouts }: DocumentContext,
  { id, bundleDigest }: BundleRequest,
): Promise<Representation> {
  const bundle = await findBundle(database.sql, bundleDigest!);
  if (!bundle || bundle.damagedAt !== null) {
    throw new DamagedBundleError(`The bundle of request ${id} is damaged and is not served any more`, {
      hint: 'A file of the blob store was changed or is missing: ask the operator to check the store.',
    });
  }
  const layout = await layouts.of(bundle);
  return {
    digest: bundle.archiveDigest,
    size: bundle.archiveSize,
    contentType: 'application/gzip',
    fileName: `stowage-${id}.tar.gz`,
    disposition: 'attachment',
    open: (range) => readArchive(blobs, layout, range),
    onDamage: () => markBundleDamaged(database.sql, bundle.manifestDigest),
  };
}

async function manifest({ blobs }: DocumentContext, request: BundleRequest): Promise<Representation> {
  return await blobRepresentation(blobs, request.bundleDigest!, {
    contentType: 'application/json; charset=utf-8',
    fileName: `stowage-${request.id}.manifest.json`,
    disposition: 'inline',
  });
}

export async function openSbom(
  { blobs }: DocumentContext,
  request: BundleRequest,
  asked: string | null,
): Promise<Representation> {
  const format = oneOf(['cyclonedx-1.6', 'spdx-2.3'], asked);
  const isCycloneDx = format === 'cyclonedx-1.6';
  return await blobRepresentation(blobs, isCycloneDx ? request.cyclonedxDigest! : request.spdxDigest!, {
    contentType: isCycloneDx ? 'application/vnd.cyclonedx+json; version=1.6' : 'application/spdx+json',
    fileName: `stowage-${request.id}.${isCycloneDx ? 'cdx' : 'spdx'}.json`,
    disposition: 'inline',
  });
}

/** The image content manifest (cachito.md 5.3). */
async function imageContentManifest(
  { database: { sql } }: DocumentContext,
  request: BundleRequest,
): Promise<Representation> {
  return textRepresentation(contentManifestText([await readReport(sql, request)]), {
    contentType: 'application/json; charset=utf-8',
    fileName: `stowage-${request.id}.content-manifest.json`,
    disposition: 'inline',
  });
}

/** DSSE envelopes, one a line (prefetch.md 15). */
async function provenance({ blobs }: DocumentContext, request: BundleRequest): Promise<Representation> {
  return await blobRepresentation(blobs, request.provenanceDigest!, {
    contentType: 'application/jsonl; charset=utf-8',
    fileName: `stowage-${request.id}.provenance.jsonl`,
    disposition: 'inline',
  });
}

async function environment(
  { database }: DocumentContext,
  request: BundleRequest,
  asked: string | null,
): Promise<Representation> {
  const isJson = oneOf(['shell', 'json'], asked) === 'json';
  const variables = await readEnvironment(database.sql, { request, form: 'offline', baseUrl: '' });
  return textRepresentation(isJson ? environmentJson(variables) : environmentScript(variables), {
    contentType: isJson ? 'application/json; charset=utf-8' : 'text/plain; charset=utf-8',
    fileName: isJson ? `stowage-${request.id}.env.json` : `stowage-${request.id}.env`,
    disposition: 'inline',
  });
}

/** A part was found changed; it is not served any more. */
export class DamagedBundleError extends DomainError {
  constructor(message: string, options?: DomainErrorOptions) {
    super('damaged', message, options);
  }
}

/** Throws ConflictError with the state for requests that have nothing to offer (yet, or any more). */
export function requireComplete({ id, state, stateReason, error }: BundleRequest): void {
  if (state === 'complete') return;
  throw new ConflictError(`The bundle request ${id} is not complete: it is ${state} (${stateReason})`, {
    details: { number: id, state, stateReason, ...(error !== null && { error }) },
    ...(state === 'in_progress' && { hint: 'Try again when it is complete.', retryable: true }),
  });
}

/** The first is the default. */
function oneOf(formats: readonly string[], asked: string | null): string {
  if (asked === null) return formats[0]!;
  if (formats.includes(asked)) return asked;
  throw new InvalidInputError(
    `"${asked.slice(0, 60)}" is not a format: it must be one of ${formats.join(', ')}`,
  );
}
