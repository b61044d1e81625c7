/** A file of a GraphQL multipart request. */
export interface UploadedFile {
  name: string;
  content: Buffer;
}

export const BOUNDARY = 'stowage-test-boundary';

export const UPLOAD = `mutation ($file: Upload!) {
  uploadSource(file: $file) {
    __typename
    ... on Error { code message hint }
    ... on MutationUploadSourceSuccess { data { number fileName size digest createdAt } }
  }
}`;

/** The parts in the order in which they are given; values that are no files are sent as they are. */
export function multipartBody(parts: [name: string, value: string | UploadedFile][]): Buffer {
  const chunks: Buffer[] = [];
  for (const [name, value] of parts) {
    const isText = typeof value === 'string';
    const fileName = isText ? '' : `; filename="${value.name}"`;
    chunks.push(
      Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${fileName}\r\n`),
      Buffer.from(isText ? '\r\n' : 'Content-Type: application/octet-stream\r\n\r\n'),
      isText ? Buffer.from(value) : value.content,
      Buffer.from('\r\n'),
    );
  }
  return Buffer.concat([...chunks, Buffer.from(`--${BOUNDARY}--\r\n`)]);
}

/** The request of a well-behaved client. */
export function uploadBody(file: UploadedFile, query = UPLOAD): Buffer {
  return multipartBody([
    ['operations', JSON.stringify({ query, variables: { file: null } })],
    ['map', JSON.stringify({ '0': ['variables.file'] })],
    ['0', file],
  ]);
}
