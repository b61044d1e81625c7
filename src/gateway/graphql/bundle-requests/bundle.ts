import type { BundleRow } from '../../../domain/database/sql/find-bundle.ts';
import { builder } from '../builder.ts';
import { SbomFormatEnum } from './enums.ts';

/** A bundle as one request made it: the same bundle may belong to several. */
interface BundleOfRequest extends BundleRow {
  requestNumber: number;
}

export const BundleRef = builder.objectRef<BundleOfRequest>('Bundle').implement({
  description: 'Source, dependencies and configuration as one archive, the same bytes for the same request.',
  fields: (t) => {
    const url = (path: string, description: string) =>
      t.string({
        nullable: false,
        description,
        resolve: ({ requestNumber }, _args, { baseUrl }) =>
          `${baseUrl}/bundle-requests/${requestNumber}/${path}`,
      });
    return {
      manifestDigest: t.exposeString('manifestDigest', {
        nullable: false,
        description: "Digest of the manifest: the bundle's identity.",
      }),
      tarDigest: t.exposeString('tarDigest', { nullable: false, description: 'Of the uncompressed tar.' }),
      tarSize: t.expose('tarSize', { type: 'Bytes', nullable: false }),
      archiveDigest: t.exposeString('archiveDigest', { nullable: false, description: 'Of the .tar.gz.' }),
      archiveSize: t.expose('archiveSize', { type: 'Bytes', nullable: false }),
      reproducibleDigest: t.exposeString('reproducibleDigest', {
        nullable: true,
        description:
          'Of the manifest without git directories, which are not the same on every machine; null: it has none.',
      }),
      entries: t.exposeInt('entries', { nullable: false }),
      writerVersion: t.exposeString('writerVersion', {
        nullable: false,
        description: 'The .tar.gz is the same, byte for byte, for the same writer.',
      }),
      archiveUrl: url('archive', 'The bundle as .tar.gz.'),
      manifestUrl: url('manifest', 'Path, mode and digest of every entry.'),
      contentManifestUrl: url('content-manifest', 'Image content manifest (ICM).'),
      provenanceUrl: url('provenance', 'SLSA provenance in signed DSSE envelopes, one JSON object a line.'),
      environmentUrl: url('environment', 'stowage.env, to be read by a shell.'),
      sbomUrl: t.string({
        nullable: false,
        args: { format: t.arg({ type: SbomFormatEnum, required: true, defaultValue: 'cyclonedx-1.6' }) },
        resolve: ({ requestNumber }, { format }, { baseUrl }) =>
          `${baseUrl}/bundle-requests/${requestNumber}/sbom?format=${format}`,
      }),
    };
  },
});
