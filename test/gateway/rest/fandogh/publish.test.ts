import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BOUNDARY, multipartBody } from '../../../support/multipart.ts';
import { dir, file, tar, zip } from '../../../support/packed-archives.ts';
import { FandoghStack, sourceArchive, versionForm } from './fandogh-calls.ts';

let fandogh: FandoghStack;
let source: Buffer;
const DATE = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
const LIMIT = 300_000;

beforeAll(async () => {
  fandogh = await FandoghStack.start({ STOWAGE_LIMITS: `uploadBytes=${LIMIT}` });
  source = await sourceArchive();
  await fandogh.call('POST', '/api/images', { json: { name: 'app' } });
});
afterAll(() => fandogh.close());

const answer = (...args: Parameters<FandoghStack['answer']>) => fandogh.answer(...args);
const created = {
  message: 'Version created successfully',
  contents: { message: 'Version created successfully' },
};
const PATH = '/api/images/app/versions';

function post(parts: Parameters<typeof versionForm>[0], options: object = {}, path = PATH) {
  return answer('POST', path, { ...versionForm(parts), ...options });
}

async function version(name: string): Promise<unknown> {
  const [, versions] = await answer('GET', PATH);
  return (versions as { version: string }[]).find((one) => one.version === name);
}

describe('what clients send (fandogh.md 7)', () => {
  test.each<[string, Parameters<typeof versionForm>[0]]>([
    [
      'version-first',
      [
        ['version', 'version-first'],
        ['source', { name: 'workspace', content: Buffer.alloc(0) }],
      ],
    ],
    [
      'source-first',
      [
        ['source', { name: 'workspace.zip', content: Buffer.alloc(0) }],
        ['version', 'source-first'],
      ],
    ],
    [
      'with-more',
      [
        ['other', 'x'],
        ['other', { name: 'other', content: Buffer.alloc(1000) }],
        ['source', { name: '../../etc', content: Buffer.alloc(0) }],
        ['version', 'with-more'],
      ],
    ],
  ])('%s', async (name, parts) => {
    const filled = parts.map(([part, value]) =>
      part === 'source' && typeof value !== 'string' ? [part, { ...value, content: source }] : [part, value],
    ) as typeof parts;
    expect(await post(filled)).toEqual([200, created]);
    expect(await version(name)).toEqual({ version: name, state: 'PENDING', date: DATE, size: 0 });
    expect(await answer('GET', `${PATH}/${name}/builds`)).toEqual([
      200,
      { logs: '', state: 'PENDING', lines_count: 0, start_date: null, end_date: null, failure_reason: null },
    ]);
  });

  test('in chunks of any size, in Persian, with a slash', async () => {
    const { body, headers } = versionForm([
      ['source', { name: 'workspace', content: source }],
      ['version', 'chunked'],
    ]);
    for (const size of [1, 7, 1000]) {
      const chunks = new ReadableStream({
        start(controller) {
          for (let at = 0; at < body.length; at += size) controller.enqueue(body.subarray(at, at + size));
          controller.close();
        },
      });
      const path = '/fa/api/images/app/versions/';
      const given = await answer('POST', path, { body: chunks as never, headers });
      if (size === 1) expect(given).toMatchObject([200, { message: 'ورژن جدید با موفقیت ساخته شد' }]);
      else expect(given).toEqual([400, { version: [expect.stringContaining('in progress')] }]);
    }
  });

  test('a zip and a plain tar, and a version as long as may be', async () => {
    const name = `v${'1'.repeat(127)}`;
    expect(await fandogh.publish('app', name, zip({ name: 'Dockerfile', content: 'FROM scratch' }))).toEqual([
      200,
      created,
    ]);
    expect(await fandogh.publish('app', 'tar', await tar(file('Dockerfile', 'FROM scratch')))).toEqual([
      200,
      created,
    ]);
    const broken = zip({ name: 'Dockerfile', content: 'FROM scratch', crc: 0, size: 0 });
    expect(await fandogh.publish('app', 'broken-zip', broken)).toEqual([200, created]);
  });
});

describe('refused, after all was read (fandogh.md 1.8)', () => {
  const archive = () => ({ name: 'workspace', content: source });
  const large = { name: 'workspace', content: Buffer.alloc(LIMIT + 1) };

  test('by whom and where, before anything of the form', async () => {
    expect(await post([['source', large]], { token: null, headers: versionForm([]).headers })).toEqual([
      401,
      { message: 'You need to login first.' },
    ]);
    const { body, headers } = versionForm([['source', large]]);
    expect(await answer('POST', PATH, { body, headers: { ...headers, 'active-namespace': 'no' } })).toEqual([
      400,
      { message: 'Namespace no does not exist or you have no access to it' },
    ]);
    expect(await post([['source', large]], {}, '/api/images/App/versions')).toEqual([
      404,
      { message: 'Image with this name: App does not exist' },
    ]);
  });

  test.each(['', 'a b', 'a/b', '-a', '.a', 'a@b', 'a#b', 'نام', 'a\0', 'v'.repeat(129), 'v'.repeat(5000)])(
    'the version %j',
    async (name) => {
      const [status, body] = await post([
        ['source', archive()],
        ['version', name],
      ]);
      expect(status).toBe(400);
      expect(Object.keys(body as object)).toEqual(['version']);
    },
  );

  test('what is not there', async () => {
    expect(await post([['source', archive()]])).toEqual([400, { version: ['version is necessary'] }]);
    expect(await post([])).toEqual([400, { version: ['version is necessary'] }]);
    expect(await post([['version', 'v']])).toEqual([400, { source: ['source is necessary'] }]);
    expect(
      await post([
        ['version', 'v'],
        ['source', 'no file'],
      ]),
    ).toEqual([400, { source: ['source is necessary'] }]);
  });

  test.each<[string, () => Buffer | Promise<Buffer>, string]>([
    ['nothing', () => Buffer.alloc(0), 'The uploaded file is empty'],
    ['too much', () => large.content, `The uploaded file has more than ${LIMIT} bytes`],
    ['much too much', () => Buffer.alloc(20 * LIMIT), `The uploaded file has more than ${LIMIT} bytes`],
    [
      'no archive',
      () => Buffer.from('hello'),
      'The archive cannot be read: it is neither zip nor tar nor tar.gz',
    ],
    ['no Dockerfile', () => zip({ name: 'dockerfile' }), 'The archive has no file Dockerfile'],
    [
      'a directory Dockerfile',
      () => tar(dir('Dockerfile/')),
      'The archive has a directory where the file Dockerfile should be',
    ],
    ['a way out', () => tar(file('../x')), 'The archive has the entry "../x", which leads out of it'],
    [
      'half of one',
      async () => source.subarray(0, 100),
      'The archive cannot be read: unexpected end of file',
    ],
  ])('the source: %s', async (_what, content, text) => {
    expect(await fandogh.publish('app', 'bad', await content())).toEqual([400, { source: [text] }]);
    expect(await version('bad')).toBeUndefined();
  });

  test.each<[string, string, string | Buffer, string]>([
    ['no form', 'application/json', '{}', 'The body must be multipart/form-data'],
    ['no type', '', 'x', 'Unsupported Media Type'],
    ['no boundary', 'multipart/form-data', 'x', 'The body must be multipart/form-data'],
    [
      'no end',
      `multipart/form-data; boundary=${BOUNDARY}`,
      multipartBody([['version', 'v']]).subarray(0, -20),
      'The form cannot be read: Unexpected end of form',
    ],
    [
      'too many parts',
      `multipart/form-data; boundary=${BOUNDARY}`,
      multipartBody([...Array.from({ length: 100 }, (): [string, string] => ['x', 'y']), ['version', 'v']]),
      'The form has more than 100 parts',
    ],
  ])('the body: %s', async (_what, type, body, text) => {
    expect(await answer('POST', PATH, { body: body as never, headers: { 'content-type': type } })).toEqual([
      400,
      { non_field_errors: [text] },
    ]);
  });

  test('the form cut off at whatever byte', async () => {
    const { body, headers } = versionForm([
      ['version', 'cut'],
      ['source', archive()],
    ]);
    for (let cut = 0; cut < body.length - 4; cut += 9) {
      const [status, errors] = await answer('POST', PATH, { body: body.subarray(0, cut), headers });
      expect([cut, status, Object.keys(errors as object)]).toEqual([cut, 400, ['non_field_errors']]);
    }
    expect(await version('cut')).toBeUndefined();
  });

  test('a client that goes away leaves nothing behind', async () => {
    const { body, headers } = versionForm([
      ['version', 'gone'],
      // More than the store keeps in memory.
      ['source', { name: 'workspace', content: Buffer.alloc(LIMIT - 10_000, 'x') }],
    ]);
    const { hostname, port } = new URL(fandogh.stack.url);
    const head = [
      `POST ${PATH} HTTP/1.1`,
      'host: x',
      `authorization: JWT ${fandogh.token}`,
      `content-type: ${headers['content-type']}`,
      `content-length: ${body.length}`,
      '',
      '',
    ].join('\r\n');
    const socket = connect(Number(port), hostname);
    await new Promise((done) =>
      socket.write(Buffer.concat([Buffer.from(head), body.subarray(0, LIMIT - 20_000)]), done),
    );
    const { blobs, database } = fandogh.stack;
    const unfinished = () => readdir(join(blobs.root, 'tmp'));
    await expect.poll(unfinished).not.toEqual([]);
    socket.destroy();
    await expect.poll(unfinished).toEqual([]);
    expect(await database.sql.query(`select from published_versions where name = 'gone'`)).toEqual([]);
  });
});

test('a client that goes away in a source that nobody wants ends nothing but its request', async () => {
  const { hostname, port } = new URL(fandogh.stack.url);
  const { body, headers } = versionForm([['source', { name: 'workspace', content: Buffer.alloc(100) }]]);
  const closed = Promise.withResolvers<void>();
  const notice = (message: unknown): void =>
    void (message as { socket: Socket }).socket.once('close', () => closed.resolve());
  subscribe('net.server.socket', notice);
  const socket = connect(Number(port), hostname);
  const head = [`POST ${PATH} HTTP/1.1`, 'host: x', `content-type: ${headers['content-type']}`];
  // Nobody who is logged in, and the file has begun.
  socket.write(`${head.join('\r\n')}\r\ncontent-length: ${body.length}\r\n\r\n`);
  socket.write(body.subarray(0, body.length - 90), () => socket.end());
  await closed.promise;
  unsubscribe('net.server.socket', notice);
  // An error that nobody listens to would end the process, and fails the run of the tests.
  expect((await fetch(`${fandogh.stack.url}/livez`)).status).toBe(200);
});

describe('published again (fandogh.md 1.8)', () => {
  const inProgress = (name: string) => ({
    version: [`A build of version:${name} for image:app is in progress`],
  });

  test('not while it is queued, runs or is built; again after a failure', async () => {
    expect(await fandogh.publish('app', 'v1')).toEqual([200, created]);
    expect(await fandogh.publish('app', 'v1')).toEqual([400, inProgress('v1')]);
    const first = await fandogh.newestBuild();
    const lease = await fandogh.take(first);
    expect(await version('v1')).toMatchObject({ state: 'BUILDING' });
    expect(await fandogh.publish('app', 'v1')).toEqual([400, inProgress('v1')]);
    await fandogh.write(first, 'workspace is ready.', 'no');
    await fandogh.fail(lease);
    expect(await version('v1')).toMatchObject({ state: 'FAILED', size: 0 });
    expect(await fandogh.publish('app', 'v1')).toEqual([200, created]);
    const second = await fandogh.newestBuild();
    await fandogh.take(second);
    await fandogh.write(second, 'workspace is ready.', 'yes');
    await fandogh.succeed(second, 123_456_789);
    expect(await version('v1')).toMatchObject({ state: 'BUILT', size: 123_456_789 });
    expect(await fandogh.publish('app', 'v1')).toEqual([
      400,
      { version: ['You already have a successful image built with version:v1 for image:app'] },
    ]);
    const [, list] = await answer('GET', `${PATH}/v1/builds?format=list`);
    expect(list).toMatchObject([
      { logs: 'workspace is ready.\nno', state: 'FAILED', lines_count: 2, failure_reason: 'step-failed' },
      { logs: 'workspace is ready.\nyes', state: 'BUILT', lines_count: 2, failure_reason: null },
    ]);
    const [, images] = await answer('GET', '/api/images');
    expect((images as object[])[0]).toMatchObject({
      name: 'app',
      last_version: { version: 'v1', state: 'BUILT', size: 123_456_789 },
    });
  });

  test('two at once: one is published', async () => {
    const given = await Promise.all([fandogh.publish('app', 'both'), fandogh.publish('app', 'both')]);
    expect(given.sort(([one], [other]) => one - other)).toEqual([
      [200, created],
      [400, inProgress('both')],
    ]);
  });

  test('versions by state', async () => {
    const names = async (state: string) => {
      const [, versions] = await answer('GET', `${PATH}?state=${state}`);
      return (versions as { version: string }[]).map((one) => one.version);
    };
    expect(await names('BUILT')).toEqual(['v1']);
    expect(await names('FAILED')).toEqual(await names('BUILD_FAILED'));
    expect((await names('')).length).toBeGreaterThan(5);
    expect((await names('PENDING')).length).toBeGreaterThan(3);
    for (const state of ['built', 'CANCELLED', 'constructor']) {
      const [status, errors] = await answer('GET', `${PATH}?state=${state}`);
      expect([status, Object.keys(errors as object)]).toEqual([400, ['state']]);
    }
    expect(await answer('GET', '/api/images/none/versions')).toEqual([
      404,
      { message: 'Image with name none does not exist.' },
    ]);
  });
});

describe('builds (fandogh.md 1.9)', () => {
  let id: number;
  let lease: Awaited<ReturnType<FandoghStack['take']>>;
  beforeAll(async () => {
    await fandogh.publish('app', 'logged');
    id = await fandogh.newestBuild();
    lease = await fandogh.take(id);
    await fandogh.write(id, 'workspace is ready.', 'Step 1/1 : "FROM" scratch\\', '', 'نام');
  });
  const builds = async (query = '') => {
    const { status, body } = await fandogh.call('GET', `${PATH}/logged/builds${query}`);
    expect(status).toBe(200);
    return body as { logs: string; lines_count: number; state: string };
  };

  test('lines after an offset', async () => {
    const whole = 'workspace is ready.\nStep 1/1 : "FROM" scratch\\\n\nنام';
    for (const query of ['', '?image_offset=0&with_timestamp=False', '?image_offset=-1', '?image_offset=x']) {
      expect(await builds(query)).toEqual({
        logs: whole,
        state: 'BUILDING',
        lines_count: 4,
        start_date: DATE,
        end_date: null,
        failure_reason: null,
      });
    }
    expect(await builds('?image_offset=2')).toMatchObject({ logs: '\nنام', lines_count: 4 });
    expect(await builds('?image_offset=4')).toMatchObject({ logs: '', lines_count: 4 });
    expect(await builds('?image_offset=999999999999999')).toMatchObject({ logs: '', lines_count: 4 });
  });

  test('with the time of each line', async () => {
    for (const value of ['True', 'true', '1']) {
      const { logs, lines_count: count } = await builds(`?image_offset=1&with_timestamp=${value}`);
      expect(count).toBe(4);
      const [first] = logs.split('\n');
      expect(first).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z Step 1\/1 : "FROM" scratch\\$/);
    }
  });

  test('who has seen all waits a little for more', async () => {
    const waiting = builds('?image_offset=4');
    await fandogh.write(id, 'more');
    expect(await waiting).toMatchObject({ logs: 'more', lines_count: 5 });
  });

  test('also while there is no line yet: who asks again at once is slowed down (fandogh.md 8.9)', async () => {
    await fandogh.publish('app', 'waiting');
    const path = `${PATH}/waiting/builds`;
    const began = performance.now();
    expect(await answer('GET', `${path}?image_offset=0`)).toMatchObject([
      200,
      { logs: '', state: 'PENDING' },
    ]);
    expect(performance.now() - began).toBeGreaterThan(900);
    const changed = answer('GET', `${path}?image_offset=0`);
    await fandogh.take(await fandogh.newestBuild());
    expect(await changed).toMatchObject([200, { logs: '', state: 'BUILDING' }]);
  });

  test('a log of many lines arrives whole', async () => {
    const lines = Array.from({ length: 20_000 }, (_, number) => `line ${number} of a build that says much`);
    await fandogh.write(id, ...lines);
    const { logs, lines_count: count } = await builds('?image_offset=5');
    expect(count).toBe(20_005);
    expect(logs).toBe(lines.join('\n'));
  });

  test('the answer that ends it has the last line', async () => {
    await fandogh.write(id, 'the end');
    await fandogh.fail(lease);
    expect(await builds('?image_offset=20005')).toMatchObject({
      logs: 'the end',
      state: 'FAILED',
      lines_count: 20_006,
      end_date: DATE,
      failure_reason: 'step-failed',
    });
  });

  test('of what is not there', async () => {
    for (const path of [
      '/api/images/none/versions/v/builds',
      `${PATH}/none/builds`,
      `${PATH}/a%00b/builds`,
      '/api/images/a%00b/versions/v/builds',
      `${PATH}/${'v'.repeat(400)}/builds`,
    ]) {
      expect(await answer('GET', path)).toEqual([404, { message: "Couldn't find the resource" }]);
    }
  });
});

test('an image that is deleted while it is built', async () => {
  await fandogh.call('POST', '/api/images', { json: { name: 'going' } });
  await fandogh.publish('going', 'v1');
  const lease = await fandogh.take(await fandogh.newestBuild());
  expect((await answer('DELETE', '/api/images/going'))[0]).toBe(200);
  await fandogh.fail(lease);
  expect(await answer('GET', '/api/images/going/versions')).toEqual([
    404,
    { message: 'Image with name going does not exist.' },
  ]);
  expect(await answer('GET', '/api/images/going/versions/v1/builds')).toEqual([
    404,
    { message: "Couldn't find the resource" },
  ]);
});

test('bytes of an archive are what counts', async () => {
  const gz = gzipSync(await tar(file('p/Dockerfile', 'FROM scratch')));
  expect(await fandogh.publish('app', 'one-directory', gz)).toEqual([200, created]);
});

test('sources have a cap of their own, and the client is heard out (fandogh.md 8.1)', async () => {
  const most = 200_000_000;
  const { url } = await fandogh.stack.addGateway({ STOWAGE_FANDOGH_UPLOAD_BYTES: `${most}` });
  const { body, headers } = versionForm([['source', { name: 'workspace', content: Buffer.alloc(0) }]]);
  const split = body.lastIndexOf('\r\n--');
  const piece = Buffer.alloc(1_000_000);
  let sent = 0;
  const form = async function* () {
    yield body.subarray(0, split);
    for (; sent < most + piece.length; sent += piece.length) yield piece;
    yield body.subarray(split, split + 2);
    yield versionForm([['version', 'huge']]).body;
  };
  const response = await fetch(`${url}${PATH}`, {
    method: 'POST',
    headers: { ...headers, authorization: `JWT ${fandogh.token}` },
    body: form(),
    duplex: 'half',
  } as unknown as RequestInit);
  const refusal = { source: [`The uploaded file has more than ${most} bytes`] };
  expect([response.status, await response.json()]).toEqual([400, refusal]);
  expect(sent).toBe(most + piece.length);
});

test('as many builds wait as may: when to come again is said (fandogh.md 1.3)', async () => {
  await fandogh.publish('app', 'one-that-waits');
  const { url } = await fandogh.stack.addGateway({ STOWAGE_PROJECT_BUILD_LIMIT: '1' });
  const { body, headers } = versionForm([
    ['version', 'too-many'],
    ['source', { name: 'workspace', content: source }],
  ]);
  const response = await fetch(`${url}${PATH}`, {
    method: 'POST',
    headers: { ...headers, authorization: `JWT ${fandogh.token}` },
    body,
  });
  expect([response.status, await response.json()]).toEqual([
    429,
    { message: [expect.stringMatching(/^\d+ builds of this project wait or run already$/)] },
  ]);
  expect(response.headers.get('retry-after')).toMatch(/^\d+$/);
  expect(await version('too-many')).toBeUndefined();
});

test('what no grammar allows is not there', async () => {
  for (const name of ['a%00b', '..%2fx', 'a'.repeat(300)]) {
    const path = `/api/images/${name}`;
    for (const [method, call] of [
      ['GET', `${path}/versions`],
      ['DELETE', path],
    ] as const) {
      expect([call, (await answer(method, call))[0]]).toEqual([call, 404]);
    }
    expect((await post([['version', 'v']], {}, `${path}/versions`))[0]).toBe(404);
  }
});

test('what is sent to a path of nothing is heard out, whatever it is (fandogh.md 4)', async () => {
  const { body, headers } = versionForm([['source', { name: 'x', content: Buffer.alloc(5_000_000) }]]);
  const missing = { message: 'There is nothing at /api/sources' };
  expect(await answer('POST', '/api/sources', { body, headers })).toEqual([404, missing]);
  expect(await answer('POST', '/api/sources', { body, headers, token: null })).toEqual([404, missing]);
});
