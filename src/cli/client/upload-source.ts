import { randomUUID } from 'node:crypto';
import { ReadableStream } from 'node:stream/web';
import type { StowageClient } from './stowage-client.ts';
import { unwrapResult } from './stowage-client.ts';

export interface SourceUploadOptions {
  fileName: string;
  content: AsyncIterable<Uint8Array>;
  signal: AbortSignal;
  onProgress?: (bytes: number) => void;
}

const UPLOAD = `mutation Upload($file: Upload!) {
  uploadSource(file: $file) {
    __typename ... on Error { code message hint details }
    ... on MutationUploadSourceSuccess { data { number } }
  }
}`;

/**
 * Streams an archive to the server (GraphQL multipart request specification); returns the number of the upload.
 * Nothing is held: the parts are written as the content comes.
 */
export async function uploadSource(client: StowageClient, options: SourceUploadOptions): Promise<number> {
  const boundary = `stowage-${randomUUID()}`;
  const response = await client.send('/graphql', {
    method: 'POST',
    headers: {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      accept: 'application/json',
      // Browsers cannot send it across origins without asking: proof that this is no forged form.
      'x-stowage-csrf': '1',
    },
    body: ReadableStream.from(multipart(boundary, options)) as BodyInit,
    duplex: 'half',
    signal: options.signal,
  });
  const data = await client.answerOf<object>(response);
  return unwrapResult<{ number: number }>(data, 'uploadSource').number;
}

async function* multipart(
  boundary: string,
  { fileName, content, onProgress }: SourceUploadOptions,
): AsyncGenerator<Uint8Array> {
  const field = (name: string, value: object): string =>
    `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${JSON.stringify(value)}\r\n`;
  const operations = field('operations', { query: UPLOAD, variables: { file: null } });
  const map = field('map', { 0: ['variables.file'] });
  const safeName = fileName.replace(/[^\w.-]/g, '-');
  yield Buffer.from(
    `${operations}${map}--${boundary}\r\ncontent-disposition: form-data; name="0"; filename="${safeName}"\r\n` +
      'content-type: application/x-tar\r\n\r\n',
  );
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.length;
    onProgress?.(bytes);
    yield chunk;
  }
  yield Buffer.from(`\r\n--${boundary}--\r\n`);
}
