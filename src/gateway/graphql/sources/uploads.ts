import { Readable } from 'node:stream';
import type { FileUpload } from 'graphql-upload/processRequest.mjs';
import type { SourceUpload } from '../../../domain/database/sql/insert-upload.ts';
import { InvalidInputError } from '../../../domain/errors.ts';
import { receiveUpload } from '../../../domain/sources/receive-upload.ts';
import { builder } from '../builder.ts';
import type { GraphQLContext } from '../context.ts';

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
    resolve: (_root, { file }, context) => receiveArchive(context, file),
  }),
}));

export async function receiveArchive(
  context: GraphQLContext,
  file: Promise<FileUpload>,
): Promise<SourceUpload> {
  const limit = context.settings.limits.uploadBytes;
  const { filename, createReadStream } = await file.catch((error) => refuse(error, limit));
  const open = (): Readable => Readable.from(contentOf(createReadStream, limit));
  return await receiveUpload(context, context.principal, { name: filename, open });
}

async function* contentOf(open: () => Readable, limit: number): AsyncGenerator<Buffer> {
  try {
    yield* open();
  } catch (error) {
    refuse(error, limit);
  }
}

const TOO_LARGE = 413;

/** A body that is broken or too long is a matter of the client; a disk that is full is not. */
function refuse(error: unknown, limit: number): never {
  const { status, message, syscall } = error as { status?: number; message: string; syscall?: string };
  if (syscall !== undefined) throw error;
  if (status === TOO_LARGE) throw new InvalidInputError(`The uploaded file has more than ${limit} bytes`);
  throw new InvalidInputError(`The upload cannot be read: ${message}`, { cause: error });
}
