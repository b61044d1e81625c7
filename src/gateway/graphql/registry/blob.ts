import type { RegistryBlob } from '../../../domain/database/sql/blob-rows.ts';
import type { Image } from '../../../domain/database/sql/image-rows.ts';
import { browseImages, browseManifests } from '../../../domain/registry/browse.ts';
import { builder } from '../builder.ts';
import { complexityByRows, connectionById, connectionByText, PAGE_SIZES } from '../connections.ts';
import { ImageRef, ManifestRef } from './refs.ts';

export const BlobRef = builder.objectRef<RegistryBlob>('Blob').implement({
  description: 'Bytes by their digest: a layer, a config, a document.',
  fields: (t) => ({
    digest: t.exposeString('digest', { nullable: false }),
    sha512: t.exposeString('sha512', { description: 'Its other name, where it was pushed by that.' }),
    size: t.expose('size', { type: 'Bytes', nullable: false }),
    createdAt: t.expose('createdAt', { type: 'DateTime', nullable: false }),
    images: t.connection({
      type: ImageRef,
      nullable: false,
      description: 'Images with a manifest that names it, by path.',
      complexity: complexityByRows(PAGE_SIZES),
      resolve: ({ digest }, args, { registry, principal }) =>
        connectionByText(
          args,
          PAGE_SIZES,
          (image: Image) => image.path,
          (range) => browseImages(registry, principal, { layer: digest }, range),
        ),
    }),
    manifests: t.connection({
      type: ManifestRef,
      nullable: false,
      description: 'Manifests that name it, newest first.',
      complexity: complexityByRows(PAGE_SIZES),
      resolve: ({ digest }, args, { registry, principal }) =>
        connectionById(args, PAGE_SIZES, ({ after, before, ...range }) =>
          browseManifests(
            registry,
            principal,
            { layer: digest },
            { olderThan: after, newerThan: before, ...range },
          ),
        ),
    }),
  }),
});
