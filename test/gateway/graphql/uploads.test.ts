import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Caller, TestGateway } from '../../support/gateway.ts';
import { leftovers, NO_LEFTOVERS } from '../../support/leftovers.ts';
import { BOUNDARY, multipartBody, UPLOAD, type UploadedFile, uploadBody } from '../../support/multipart.ts';
import { makeTarball } from '../../support/npm-registry.ts';

const LIMIT = 300_000;
const PROOF = { 'x-stowage-csrf': '1' };

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await TestGateway.start({
    worker: true,
    environment: { STOWAGE_LIMITS: `uploadBytes=${LIMIT}` },
  });
});
afterAll(async () => {
  await gateway?.close();
});

const send = async (
  body: Buffer,
  { as = 'ada', headers = PROOF }: { as?: Caller; headers?: Record<string, string> } = {},
): Promise<{
  status: number;
  body: { data?: { uploadSource: Record<string, unknown> }; errors?: object[] };
}> => {
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
      ...gateway.headers(as),
      ...headers,
    },
    body: new Uint8Array(body),
  });
  return { status: response.status, body: (await response.json()) as never };
};
const upload = async (file: UploadedFile, as: Caller = 'ada') => {
  const { status, body } = await send(uploadBody(file), { as });
  expect([status, body.errors]).toEqual([200, undefined]);
  return body.data!.uploadSource as { __typename: string; data: Record<string, unknown>; message: string };
};
const numberOf = async (file: UploadedFile, as: Caller = 'ada'): Promise<number> =>
  (await upload(file, as)).data.number as number;
const sha256 = (content: Buffer): string => `sha256:${createHash('sha256').update(content).digest('hex')}`;
const spool = (): string => join(gateway.stack.settings.dataDir, 'tmp', `uploads-${process.pid}`);
const untilNothingIsLeft = () =>
  vi.waitFor(
    async () => {
      expect(await readdir(spool())).toEqual([]);
      const { database, blobs, settings } = gateway.stack;
      expect(await leftovers(database, blobs, settings.dataDir)).toEqual(NO_LEFTOVERS);
    },
    { timeout: 10_000, interval: 20 },
  );
const uploadCount = async (): Promise<number> => {
  const [row] = await gateway.stack.database.sql.query<{ n: number }>('select count(*) as n from uploads');
  return row!.n;
};

const FILES = { 'README.md': 'hello', 'src/main.txt': 'main' };
const TAR_GZ = makeTarball(FILES, 'app');
const ZIP = Buffer.from(
  zipSync(
    Object.fromEntries(Object.entries(FILES).map(([path, text]) => [`app/${path}`, Buffer.from(text)])),
  ),
);

describe('An upload', () => {
  test.each([
    ['app.zip', ZIP],
    ['app.tar.gz', TAR_GZ],
  ])('%s is kept, and a request from it completes', async (name, content) => {
    const { __typename, data } = await upload({ name, content });
    expect({ __typename, data }).toEqual({
      __typename: 'MutationUploadSourceSuccess',
      data: {
        number: expect.any(Number),
        fileName: name,
        size: content.length,
        digest: sha256(content),
        createdAt: expect.stringMatching(/Z$/),
      },
    });
    const { submitBundleRequest } = await gateway.data(
      `mutation ($n: Int!) { submitBundleRequest(input: { upload: $n, packageManagers: [] }) {
         ... on Error { message } ... on MutationSubmitBundleRequestSuccess { data { number } } } }`,
      { n: data.number },
    );
    const { number } = submitBundleRequest.data;
    expect(await gateway.stack.untilFinal(number)).toMatchObject({ state: 'complete', error: null });
    const { r } = await gateway.data(
      '{ r: bundleRequest(number: N) { repository requestedRef commit upload bundle { entries } } }'.replace(
        'N',
        number,
      ),
    );
    expect(r).toEqual({
      repository: null,
      requestedRef: null,
      commit: null,
      upload: data.number,
      bundle: { entries: expect.any(Number) },
    });
    await untilNothingIsLeft();
  });

  test('of the same bytes twice are two uploads of one blob', async () => {
    const [first, second] = [
      await upload({ name: 'a.zip', content: ZIP }),
      await upload({ name: 'b.zip', content: ZIP }, 'bob'),
    ];
    expect(second.data.digest).toBe(first.data.digest);
    expect(second.data.number).not.toBe(first.data.number);
  });

  test.each([
    ['../../etc/passwd', 'passwd'],
    ['C:\\\\Users\\\\ada\\\\app.zip', 'app.zip'],
    ['naïve ☃.zip', 'naïve ☃.zip'],
    ['x'.repeat(300), 'x'.repeat(200)],
    ['/', 'upload'],
  ])('called %j is called %j', async (name, expected) => {
    expect((await upload({ name, content: ZIP })).data.fileName).toBe(expected);
  });

  test('may have as many bytes as the limit says', async () => {
    const content = Buffer.alloc(LIMIT, 'x');
    expect((await upload({ name: 'a', content })).data).toMatchObject({
      size: LIMIT,
      digest: sha256(content),
    });
    await untilNothingIsLeft();
  });
});

describe('Refused and nothing kept:', () => {
  test.each<[string, Buffer, string]>([
    ['an empty file', Buffer.alloc(0), 'The uploaded file is empty'],
    ['one byte too many', Buffer.alloc(LIMIT + 1), `The uploaded file has more than ${LIMIT} bytes`],
    ['far too many', Buffer.alloc(20 * LIMIT), `The uploaded file has more than ${LIMIT} bytes`],
  ])('%s', async (_title, content, message) => {
    const before = await uploadCount();
    expect(await upload({ name: 'a', content })).toEqual({
      __typename: 'InvalidInputError',
      code: 'invalid-input',
      message,
      hint: null,
    });
    expect(await uploadCount()).toBe(before);
    await untilNothingIsLeft();
  });

  test.each<[Caller, string, string]>([
    ['anonymous', 'UnauthenticatedError', 'Log in to do this'],
    ['reader', 'ForbiddenError', 'This token does not have the scope "write"'],
  ])('from %s', async (as, __typename, message) => {
    expect(await upload({ name: 'a', content: Buffer.alloc(LIMIT) }, as)).toMatchObject({
      __typename,
      message,
    });
    await untilNothingIsLeft();
  });

  test('without a header that no form can send', async () => {
    expect(await send(uploadBody({ name: 'a', content: ZIP }), { headers: {} })).toEqual({
      status: 403,
      body: {
        errors: [
          {
            message: 'A multipart request needs the header x-stowage-csrf',
            extensions: { code: 'invalid-input' },
          },
        ],
      },
    });
    for (const header of ['apollo-require-preflight', 'x-graphql-yoga-csrf']) {
      const { status } = await send(uploadBody({ name: 'a', content: ZIP }), { headers: { [header]: '1' } });
      expect(status).toBe(200);
    }
  });

  test('with wrong credentials', async () => {
    const response = await send(uploadBody({ name: 'a', content: ZIP }), {
      headers: { ...PROOF, authorization: 'Bearer stw_wrong' },
    });
    expect(response).toMatchObject({
      status: 401,
      body: { errors: [{ message: 'Wrong credentials', extensions: { code: 'unauthenticated' } }] },
    });
    await untilNothingIsLeft();
  });

  const operations = JSON.stringify({ query: UPLOAD, variables: { file: null } });
  const map = JSON.stringify({ '0': ['variables.file'] });
  const file: UploadedFile = { name: 'a', content: ZIP };
  test.each<[string, [string, string | UploadedFile][], number, RegExp]>([
    ['nothing', [], 400, /Missing multipart field|Unexpected end/],
    ['operations that are no JSON', [['operations', '{']], 400, /Invalid JSON in the ‘operations’/],
    ['operations that are a number', [['operations', '1']], 400, /Invalid type for the ‘operations’/],
    ['no map', [['operations', operations]], 400, /Missing multipart field ‘map’/],
    [
      'a map first',
      [
        ['map', map],
        ['operations', operations],
      ],
      400,
      /Misordered multipart fields/,
    ],
    [
      'a map that is no JSON',
      [
        ['operations', operations],
        ['map', '{'],
      ],
      400,
      /Invalid JSON in the ‘map’/,
    ],
    [
      'a map that is a list',
      [
        ['operations', operations],
        ['map', '[]'],
      ],
      400,
      /Invalid type for the ‘map’/,
    ],
    [
      'a map to nowhere',
      [
        ['operations', operations],
        ['map', '{"0":["variables.file.a.b"]}'],
        ['0', file],
      ],
      400,
      /Invalid object path/,
    ],
    [
      'a map to a prototype',
      [
        ['operations', operations],
        ['map', '{"0":["__proto__.polluted"]}'],
        ['0', file],
      ],
      400,
      /./,
    ],
    [
      'a file before the map',
      [
        ['operations', operations],
        ['0', file],
        ['map', map],
      ],
      400,
      /Misordered multipart fields/,
    ],
    [
      'two files',
      [
        ['operations', operations],
        ['map', '{"0":["variables.file"],"1":["variables.other"]}'],
        ['0', file],
        ['1', file],
      ],
      413,
      /1 max file uploads exceeded/,
    ],
    [
      'many operations',
      [
        ['operations', `[${operations},${operations}]`],
        ['map', '{"0":["0.variables.file"]}'],
        ['0', file],
      ],
      400,
      /Send one operation at a time/,
    ],
    [
      'a field that is too long',
      [['operations', 'x'.repeat(1_000_001)]],
      413,
      /exceeds the 1000000 byte size limit/,
    ],
  ])('%s', async (_title, parts, status, message) => {
    const response = await send(multipartBody(parts));
    expect(response).toEqual({
      status,
      body: {
        errors: [
          {
            message: expect.stringMatching(message),
            extensions: { code: expect.stringMatching(/^(invalid-input|BAD_REQUEST)$/) },
          },
        ],
      },
    });
    expect(Object.prototype).not.toHaveProperty('polluted');
    await untilNothingIsLeft();
  });

  test('a map that names a file that is not sent', async () => {
    const { body } = await send(
      multipartBody([
        ['operations', operations],
        ['map', map],
      ]),
    );
    expect(body.data?.uploadSource).toMatchObject({
      __typename: 'InvalidInputError',
      message: 'The upload cannot be read: File missing in the request.',
    });
    await untilNothingIsLeft();
  });

  test('a second file that the map does not name', async () => {
    const parts: [string, string | UploadedFile][] = [
      ['operations', operations],
      ['map', map],
      ['0', file],
      ['1', file],
    ];
    const { status } = await send(multipartBody(parts));
    expect([200, 413]).toContain(status);
    await untilNothingIsLeft();
  });

  test.each([
    ['is not valid', 'mutation ($file: Upload!) { nothing(file: $file) }'],
    ['cannot be read', 'mutation ($file: Upload!) {'],
    ['does not take the file', 'mutation ($file: Upload) { createProject(name: "UPPER") { __typename } }'],
    ['is a query', 'query ($file: Upload!) { me { name } }'],
  ])('a document that %s', async (_title, query) => {
    const response = await send(uploadBody({ name: 'a', content: Buffer.alloc(LIMIT) }, query));
    expect(response.body.errors).toHaveLength(1);
    await untilNothingIsLeft();
  });

  test('a text in the place of a file', async () => {
    const { status, errors } = await gateway.graphql(UPLOAD, { file: 'a' });
    expect(status).toBe(400);
    expect(errors[0]!.message).toContain('A file is sent as a part of a multipart request');
  });

  test('a boundary that is missing', async () => {
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data', ...PROOF, ...gateway.headers('ada') },
      body: 'x',
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      errors: [{ message: expect.stringContaining('oundary') }],
    });
  });

  test.each([
    ['in the file', 0.6],
    ['before the file', 0.0005],
  ])('a client that leaves %s', async (_title, part) => {
    const before = await uploadCount();
    const body = uploadBody({ name: 'a', content: Buffer.alloc(LIMIT) });
    const request = httpRequest(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
        'content-length': body.length,
        ...PROOF,
        ...gateway.headers('ada'),
      },
    });
    request.on('error', () => undefined);
    request.write(body.subarray(0, Math.floor(body.length * part)));
    if (part > 0.1) {
      await vi.waitFor(async () => expect(await readdir(spool())).not.toEqual([]), { timeout: 5_000 });
    } else await once(request, 'socket');
    request.destroy();
    await untilNothingIsLeft();
    expect(await uploadCount()).toBe(before);
  });

  test('a body that ends too early', async () => {
    const body = uploadBody({ name: 'a', content: ZIP });
    const response = await send(body.subarray(0, body.length - 40));
    expect(JSON.stringify(response.body)).toContain('invalid-input');
    await untilNothingIsLeft();
  });
});

describe('An upload belongs to somebody:', () => {
  const submit = async (n: number, as: Caller) =>
    (
      await gateway.data(
        `mutation ($n: Int!) { submitBundleRequest(input: { upload: $n, packageManagers: [] }) {
           __typename ... on Error { message } } }`,
        { n },
        as,
      )
    ).submitBundleRequest;

  test('others may not name it, administrators may', async () => {
    const number = await numberOf({ name: 'a.zip', content: ZIP });
    expect(await submit(number, 'bob')).toEqual({
      __typename: 'ForbiddenError',
      message: 'This upload belongs to somebody else',
    });
    expect((await submit(number, 'ada')).__typename).toBe('MutationSubmitBundleRequestSuccess');
    expect((await submit(number, 'admin')).__typename).toBe('MutationSubmitBundleRequestSuccess');
  });
});

test('What is no archive fails the request, not the upload', async () => {
  const number = await numberOf({ name: 'a.zip', content: gzipSync('no archive') });
  const { submitBundleRequest } = await gateway.data(
    `mutation ($n: Int!) { submitBundleRequest(input: { upload: $n, packageManagers: [] }) {
       ... on MutationSubmitBundleRequestSuccess { data { number } } } }`,
    { n: number },
  );
  expect(await gateway.stack.untilFinal(submitBundleRequest.data.number)).toMatchObject({
    state: 'failed',
    error: { errorOrigin: 'client' },
  });
});
