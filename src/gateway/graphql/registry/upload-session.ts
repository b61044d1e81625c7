import type { UploadSession } from '../../../domain/database/sql/upload-rows.ts';
import { browseUploads } from '../../../domain/registry/browse-blobs.ts';
import { builder } from '../builder.ts';
import { complexityByRows, connectionByText, PAGE_SIZES } from '../connections.ts';
import { UserRef } from '../identity/user.ts';
import { ImageRef } from './refs.ts';
import { RepositoryRef } from './repository.ts';

const UploadSessionRef = builder.objectRef<UploadSession>('UploadSession').implement({
  description: 'An upload of a blob that is not complete. It can be gone on with.',
  fields: (t) => ({
    uuid: t.exposeString('id', { nullable: false }),
    image: t.field({
      type: ImageRef,
      resolve: ({ imageId }, _args, { loaders }) => loaders.registry.image.load(imageId),
    }),
    user: t.field({
      type: UserRef,
      resolve: ({ userId }, _args, { loaders }) => (userId === null ? null : loaders.user.load(userId)),
    }),
    size: t.expose('size', { type: 'Bytes', nullable: false, description: 'Received until now.' }),
    isReceiving: t.exposeBoolean('isReceiving', {
      nullable: false,
      description: 'A client is sending just now.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', nullable: false }),
    activeAt: t.expose('activeAt', { type: 'DateTime', nullable: false }),
  }),
});

builder.objectField(RepositoryRef, 'uploadSessions', (t) =>
  t.connection({
    type: UploadSessionRef,
    nullable: false,
    description: 'Uploads under way: to owners of the repository all of them, to others their own.',
    complexity: complexityByRows(PAGE_SIZES),
    resolve: (repository, args, { registry, principal }) =>
      connectionByText(
        args,
        PAGE_SIZES,
        (upload: UploadSession) => upload.id,
        (range) => browseUploads(registry, principal, repository, range),
      ),
  }),
);
