import type { SourceUpload } from '../../../domain/database/sql/insert-upload.ts';
import { receiveUpload } from '../../../domain/sources/receive-upload.ts';
import { builder } from '../builder.ts';

const SourceUploadRef = builder.objectRef<SourceUpload>('SourceUpload').implement({
  description: 'An uploaded archive that a request may name as its source.',
  fields: (t) => ({
    number: t.int({ nullable: false, resolve: ({ id }) => id }),
    fileName: t.exposeString('fileName', { nullable: false }),
    size: t.expose('size', { type: 'Bytes', nullable: false }),
    digest: t.exposeString('digest', { nullable: false }),
    createdAt: t.expose('createdAt', { type: 'DateTime', nullable: false }),
  }),
});

builder.mutationFields((t) => ({
  uploadSource: t.field({
    type: SourceUploadRef,
    nullable: false,
    description: 'Takes a zip, tar or tar.gz archive (GraphQL multipart request specification).',
    errors: {},
    args: { file: t.arg({ type: 'Upload', required: true }) },
    resolve: async (_root, { file }, context) => {
      const { filename, createReadStream } = await file;
      return await receiveUpload(context, context.principal, { name: filename, open: createReadStream });
    },
  }),
}));
