import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OCI_MANIFEST, RegistryStack, sha256 } from '../../support/registry-stack.ts';

let stack: RegistryStack;
const NAME = 'apps/images/hostile';

beforeAll(async () => {
  stack = await RegistryStack.start();
  await stack.pushImage(NAME, 'v1');
});
afterAll(() => stack.close());

/** The status of a request as it stands, whatever a client library would make of it. */
async function raw(head: string[], body = ''): Promise<number> {
  const { hostname, port, host } = new URL(stack.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  const { authorization } = stack.authorization('ada');
  const [first, ...rest] = head;
  const lines = [first, `host: ${host}`, `authorization: ${authorization}`, 'connection: close', ...rest];
  socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`);
  let answer = '';
  socket.setEncoding('latin1').on('data', (text) => {
    answer += text;
  });
  await once(socket, 'close');
  return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);
}

const WORDS = [
  '%00',
  '%0a',
  '%2e%2e',
  '%2F',
  '%ff',
  '%',
  '..',
  '.',
  '//',
  ';',
  "'",
  '%22',
  '*',
  'ä',
  'null',
  '-1',
  '9'.repeat(400),
  'a'.repeat(5_000),
  'sha256:',
  'sha512:0',
  `sha256:${'f'.repeat(64)}`,
  '__proto__',
  'constructor',
  '',
];
const DIGEST = sha256('x');
const PATHS = [
  `/v2/@`,
  `/v2/@/tags/list`,
  `/v2/${NAME}/tags/list?n=@`,
  `/v2/${NAME}/tags/list?last=@`,
  `/v2/${NAME}/manifests/@`,
  `/v2/${NAME}/manifests/v1?tag=@`,
  `/v2/${NAME}/blobs/@`,
  `/v2/${NAME}/blobs/uploads/@`,
  `/v2/${NAME}/blobs/uploads/?digest=@`,
  `/v2/${NAME}/blobs/uploads/?mount=@&from=@`,
  `/v2/${NAME}/blobs/uploads/?mount=${DIGEST}&from=@`,
  `/v2/${NAME}/referrers/@`,
  `/v2/${NAME}/referrers/${DIGEST}?artifactType=@&n=@&last=@`,
  '/v2/_catalog?n=@',
  '/v2/_catalog?last=@&projectId=@&repoName=@',
  '/v2/token?scope=@&service=@&account=@',
  '/v2/token?scope=repository:@:pull',
];

test.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])(
  'no %s is a failure of the server',
  async (method) => {
    const targets = PATHS.flatMap((path) => WORDS.map((word) => path.replaceAll('@', word)));
    const failed: string[] = [];
    const next = targets.values();
    const worker = async (): Promise<void> => {
      for (const target of next) {
        const status = await raw([`${method} ${target} HTTP/1.1`, 'content-length: 2'], '{}');
        if (status >= 500) failed.push(`${status} ${target.slice(0, 200)}`);
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    expect(failed).toEqual([]);
  },
);

test.each([
  ['content-range: 0-99999999999999999999'],
  ['content-range: 5-1'],
  ['content-range: bytes 0-1/2'],
  ['content-range: -'],
  ['content-range: \x01'],
  ['content-type: \xff\xfe'],
  ['range: bytes=9-,-,'],
  [`range: bytes=${'0-1,'.repeat(2_000)}`],
  ['if-none-match: "', 'if-range: W/'],
  ['authorization: Bearer'],
  ['expect: 100-continue'],
  ['transfer-encoding: chunked'],
])('odd headers, %#', async (...headers) => {
  await stack.pushImage(NAME, 'v1');
  const begun = await stack.call('POST', `/v2/${NAME}/blobs/uploads/`);
  const location = begun.headers.get('location');
  const isChunked = headers[0].startsWith('transfer');
  const body = isChunked ? '2\r\n{}\r\n0\r\n\r\n' : '{}';
  const length = isChunked ? [] : ['content-length: 2'];
  for (const first of [
    `PATCH ${location} HTTP/1.1`,
    `PUT ${location}?digest=${sha256('{}')} HTTP/1.1`,
    `PUT /v2/${NAME}/manifests/odd HTTP/1.1`,
    `GET /v2/${NAME}/manifests/v1 HTTP/1.1`,
    `GET /v2/${NAME}/blobs/${sha256(`layer of ${NAME}:v1`)} HTTP/1.1`,
  ]) {
    expect(await raw([first, ...length, ...headers], body)).toBeLessThan(500);
  }
});

test.each([
  ['a list of lists', `{"schemaVersion":2,"mediaType":"${OCI_MANIFEST}","config":[[[]]],"layers":[[[]]]}`],
  ['a prototype', `{"schemaVersion":2,"__proto__":{"mediaType":"${OCI_MANIFEST}"},"config":{"__proto__":1}}`],
  ['numbers as texts', `{"schemaVersion":"2","mediaType":2,"config":{"digest":1,"size":"1"}}`],
  ['two of everything', '{"schemaVersion":2,"schemaVersion":1,"config":null,"config":null}'],
  ['bytes that are no text', '{"schemaVersion":2,"a":"\xff"}'],
  ['a byte order mark', `\ufeff{"schemaVersion":2}`],
  [
    'nulls',
    `{"schemaVersion":2,"mediaType":null,"config":null,"layers":null,"subject":null,"annotations":null}`,
  ],
])('a manifest of %s is refused', async (_what, text) => {
  const answer = await stack.call('PUT', `/v2/${NAME}/manifests/odd`, {
    body: Buffer.from(text, 'latin1'),
    headers: { 'content-type': OCI_MANIFEST },
  });
  expect([answer.status, answer.codes()]).toEqual([400, ['MANIFEST_INVALID']]);
});

test('a client that still sends when it is refused is told why, though its connection is closed then', async () => {
  const location = (await stack.call('POST', `/v2/${NAME}/blobs/uploads/`)).headers.get('location')!;
  const { hostname, port, host } = new URL(stack.url);
  const size = 8_000_000;
  const socket = connect(Number(port), hostname);
  const head = [
    `PATCH ${location} HTTP/1.1`,
    `host: ${host}`,
    `authorization: ${stack.authorization('ada').authorization}`,
    `content-length: ${size}`,
    `content-range: 5-${size + 4}`,
    'connection: close',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  const answer = text(socket);
  for (let sent = 0; sent < size; sent += 100_000) {
    if (!socket.write(Buffer.alloc(100_000))) await once(socket, 'drain');
  }
  expect(await answer).toMatch(/^HTTP\/1\.1 416 .*"BLOB_UPLOAD_INVALID"/s);
});

test('a config that is odd is no reason to refuse an image', async () => {
  for (const config of [
    '[]',
    'null',
    '"text"',
    '{"os":{},"architecture":["x"],"variant":"a\\u0000b"}',
    'not json',
  ]) {
    await stack.pushBlob(NAME, config);
    const answer = await stack.putManifest(NAME, 'odd', {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: sha256(config),
        size: config.length,
      },
      layers: [],
    });
    expect(answer.status).toBe(201);
  }
});

test('the gateway still answers', async () => {
  expect((await stack.call('GET', '/v2/')).status).toBe(200);
});
