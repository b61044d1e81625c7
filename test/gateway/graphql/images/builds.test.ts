import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openRegistry } from '../../../../src/domain/registry/registry.ts';
import { FakeImageBuilding, untilAborted } from '../../../support/fake-image-builder.ts';
import { TestGateway } from '../../../support/gateway.ts';
import { makeTar } from '../../../support/gem-server.ts';
import { BOUNDARY, uploadBody } from '../../../support/multipart.ts';

const building = new FakeImageBuilding();
let gateway: TestGateway;
let counter = 0;
let image = '';

beforeAll(async () => {
  gateway = await TestGateway.start({
    worker: true,
    imageBuilding: building,
    environment: { STOWAGE_PROJECT_BUILD_CONCURRENCY: '1', STOWAGE_BUILD_CONCURRENCY: '2' },
  });
  const { settings, database, blobs } = gateway.stack;
  building.registry = openRegistry({ settings, database, blobs });
});
afterAll(async () => {
  await building.registry?.close();
  await gateway?.close();
});
beforeEach(() => {
  counter += 1;
  image = `Image-${counter}`;
  building.work = async () => undefined;
});

const CONTEXT = makeTar({ Dockerfile: 'FROM scratch\n' });

// biome-ignore lint/suspicious/noExplicitAny: what the test asked for.
async function uploadAndBuild(input = '', content = CONTEXT): Promise<any> {
  const query = `mutation ($file: Upload!) {
    x: uploadAndBuild(file: $file, input: { project: "apps", image: "${image}" ${input} }) {
      ... on Error { code message }
      ... on MutationUploadAndBuildSuccess { data { number state tag reference queuePosition upload } }
    }
  }`;
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
      'x-stowage-csrf': '1',
      ...gateway.headers('ada'),
    },
    body: new Uint8Array(uploadBody({ name: 'a.tar', content }, query)),
  });
  const { data, errors } = (await response.json()) as { data: { x: { data?: object } }; errors?: unknown };
  if (errors) throw new Error(JSON.stringify(errors));
  return data.x.data ?? data.x;
}

const EVENTS = `subscription ($number: Int!, $after: Int!) {
  imageBuildEvents(number: $number, afterVersion: $after) { version type data build { state } }
}`;
const LOG = `subscription ($number: Int!, $after: Int!) {
  imageBuildLog(number: $number, afterLine: $after) { number text at level }
}`;

async function eventsOf(number: number, after = 0) {
  // biome-ignore lint/suspicious/noExplicitAny: what the test asked for.
  const events: any[] = [];
  for await (const { data, errors } of gateway.sse(EVENTS, { number, after })) {
    if (errors.length > 0) throw new Error(JSON.stringify(errors));
    events.push(data.imageBuildEvents);
  }
  return events;
}

const change = async (field: string, type: string) =>
  (
    await gateway.data(
      `mutation { x: ${field} { ... on Error { code message } ... on Mutation${type}Success { data { number } } } }`,
    )
  ).x;

describe('an uploaded archive', () => {
  test('becomes an image, whose build tells all of it', async () => {
    building.work = async ({ onLine }) => {
      await onLine('STEP 1/1: FROM scratch');
    };
    const build = await uploadAndBuild('version: "1.0", labels: [{ name: "a", value: "b" }], secrets: []');
    expect(build).toMatchObject({
      tag: '1.0',
      reference: expect.stringMatching(/^apps\/images\/image-\d+-x/),
    });
    const states = (await eventsOf(build.number)).map(({ version, data }) => [version, data.state]);
    expect(states).toEqual([
      [1, 'queued'],
      [2, 'running'],
      [3, 'succeeded'],
    ]);
    expect((await eventsOf(build.number, 2)).map(({ data }) => data.state)).toEqual(['succeeded']);
    expect(await eventsOf(build.number, 3)).toEqual([]);

    const { imageBuild, publishedImage, publishedImages } = await gateway.data(
      `query ($number: Int!, $name: String!) {
        imageBuild(number: $number) {
          state failure { reason } digest size labels secretIds isHermetic useCache queuePosition
          user { name } project { name } builder { name version } baseImages { name }
          manifest { digest referrers { nodes { artifactType } } }
          log { total closed lines { text } }
        }
        publishedImage(project: "apps", name: $name) {
          name path repository lastVersion { name state size build { number } }
          versions(states: [SUCCEEDED]) { totalCount nodes { name builds { totalCount nodes { number } } } }
          none: versions(states: [FAILED]) { totalCount nodes { name } }
        }
        publishedImages(filter: { project: "apps", name: $name }) { totalCount nodes { number } }
      }`,
      { number: build.number, name: image },
    );
    expect(imageBuild).toMatchObject({
      ...{ state: 'SUCCEEDED', failure: null, size: 40, labels: { a: 'b' }, secretIds: [] },
      ...{ isHermetic: false, useCache: true, queuePosition: null, user: { name: 'ada' } },
      ...{ project: { name: 'apps' }, builder: { name: 'fake', version: '1' }, baseImages: [] },
      manifest: {
        digest: imageBuild.digest,
        // Where it comes from, and what is in it.
        referrers: { nodes: Array(2).fill({ artifactType: 'application/vnd.dsse.envelope.v1+json' }) },
      },
      log: { closed: true },
    });
    expect(imageBuild.log.lines.at(-1).text).toBe('Image has been pushed into the registry.');
    expect(publishedImage).toMatchObject({
      ...{ name: image, repository: 'images' },
      lastVersion: { name: '1.0', state: 'SUCCEEDED', size: 40, build: { number: build.number } },
      versions: {
        totalCount: 1,
        nodes: [{ name: '1.0', builds: { totalCount: 1, nodes: [{ number: build.number }] } }],
      },
      none: { totalCount: 0, nodes: [] },
    });
    expect(publishedImages.totalCount).toBe(1);
  });

  test.each([
    ['no archive', Buffer.from('hello'), ''],
    ['no Dockerfile', makeTar({ 'src/Dockerfile': 'FROM scratch\n', 'a.txt': '' }), ''],
    ['another Dockerfile', CONTEXT, 'dockerfile: "Containerfile"'],
    ['a second source', CONTEXT, 'git: "https://git.example/a.git"'],
    ['a bad version', CONTEXT, 'version: "a b"'],
    ['a path out of the source', CONTEXT, 'dockerfile: "../Dockerfile"'],
    ['another system', CONTEXT, 'platform: "windows/amd64"'],
    ['an unknown architecture', CONTEXT, 'platform: "linux/x86"'],
    ['a short secret', CONTEXT, 'secrets: [{ name: "a", value: "abc" }]'],
    ['an argument twice', CONTEXT, 'buildArguments: [{ name: "A", value: "1" }, { name: "A", value: "2" }]'],
    ['too much time', CONTEXT, 'timeoutSeconds: 1000000'],
  ])('with %s is refused, and nothing is built', async (_, content, input) => {
    expect(await uploadAndBuild(input, content)).toMatchObject({ code: 'invalid-input' });
    expect(
      (await gateway.data(`{ publishedImage(project: "apps", name: "${image}") { name } }`)).publishedImage,
    ).toBe(null);
  });

  test('may be built by a path that is written in another way', async () => {
    const content = makeTar({ 'deep/Dockerfile': 'FROM scratch\n' });
    expect(await uploadAndBuild('dockerfile: "./deep//Dockerfile"', content)).toMatchObject({
      state: 'QUEUED',
    });
  });

  test('is published by developers, whom the image tells who they are', async () => {
    const read = '{ publishedImages(first: 1) { nodes { mayPublish createdBy { number name } } } }';
    for (const [as, mayPublish] of [
      ['ada', true],
      ['admin', true],
      ['bob', false],
      ['reader', false],
    ] as const) {
      const { publishedImages } = await gateway.data(read, {}, as);
      const createdBy = { number: expect.any(Number), name: 'ada' };
      expect(publishedImages.nodes).toEqual([{ mayPublish, createdBy }]);
    }
  });

  test('is published once if that is asked for', async () => {
    expect(await uploadAndBuild('policy: ONCE')).toMatchObject({ code: 'not-found' });
    await change(
      `createPublishedImage(input: { project: "apps", name: "${image}" })`,
      'CreatePublishedImage',
    );
    const { number } = await uploadAndBuild('policy: ONCE');
    await eventsOf(number);
    expect(await uploadAndBuild('policy: ONCE')).toEqual({
      code: 'conflict',
      message: `You already have a successful image built with version:latest for image:${image}`,
    });
  });
});

describe('a build', () => {
  test('waits its turn in sight, is cancelled and retried, and is gone with its image', async () => {
    building.work = untilAborted;
    const first = await uploadAndBuild('version: "a"');
    const second = await uploadAndBuild('version: "b"');
    expect(second).toMatchObject({ state: 'QUEUED' });
    const position = async () =>
      (await gateway.data(`{ imageBuild(number: ${second.number}) { queuePosition } }`)).imageBuild
        .queuePosition;
    await expect.poll(position).toBe(1);

    const running = async () => {
      const { workers } = await gateway.data('{ workers { builds { build { number } } } }', {}, 'admin');
      return workers;
    };
    await expect.poll(running).toEqual([{ builds: [{ build: { number: first.number } }] }]);
    const following = eventsOf(second.number);
    expect(await change(`cancelImageBuild(number: ${first.number})`, 'CancelImageBuild')).toEqual({
      data: { number: first.number },
    });
    await expect.poll(position).toBe(null);
    expect(await change(`retryImageBuild(number: ${second.number})`, 'RetryImageBuild')).toEqual({
      code: 'conflict',
      message: `Build ${second.number} is running; only a failed or cancelled build can be retried`,
    });
    await change(`cancelImageBuild(number: ${second.number})`, 'CancelImageBuild');
    expect((await following).at(-1)).toMatchObject({
      type: 'STATE',
      data: {
        state: 'cancelled',
        failure: { reason: 'cancelled', message: 'The build was cancelled by ada' },
      },
    });

    building.work = async () => undefined;
    await change(`retryImageBuild(number: ${second.number})`, 'RetryImageBuild');
    const states = (await eventsOf(second.number)).filter(({ type }) => type === 'STATE');
    expect(states.map(({ data }) => data.state)).toEqual([
      ...['queued', 'running', 'cancelled', 'queued', 'running', 'succeeded'],
    ]);
    const { imageBuild } = await gateway.data(
      `{ imageBuild(number: ${second.number}) { image { number } retries } }`,
    );
    expect(imageBuild.retries).toBe(1);
    await change(`deletePublishedImage(number: ${imageBuild.image.number})`, 'DeletePublishedImage');
    const after = await gateway.data(`{
      imageBuild(number: ${second.number}) { state }
      publishedImage(project: "apps", name: "${image}") { name }
    }`);
    expect(after).toEqual({ imageBuild: null, publishedImage: null });
  });

  test('from git fails with the reason when there is no such repository', async () => {
    const { x } = await gateway.data(`mutation {
      x: buildImage(input: { project: "apps", image: "${image}", git: "/nonexistent", ref: "main" }) {
        ... on Error { code message } ... on MutationBuildImageSuccess { data { number repository requestedRef } }
      }
    }`);
    expect(x.data).toMatchObject({ repository: '/nonexistent', requestedRef: 'main' });
    const last = (await eventsOf(x.data.number)).at(-1);
    expect(last.data).toMatchObject({ state: 'failed', failure: { reason: 'source-invalid' } });
  });

  test('needs a complete request, if it is to be made from a bundle', async () => {
    const { x } = await gateway.data(
      `mutation { x: buildImage(input: { project: "apps", image: "${image}", bundleRequest: 999999 }) {
        ... on Error { code message } } }`,
    );
    expect(x).toEqual({ code: 'not-found', message: 'There is no bundle request 999999' });
  });
});

describe('the log of a build', () => {
  test('comes line by line while it is written, and again from any line', async () => {
    const gates: (() => void)[] = [];
    building.work = async ({ onLine }) => {
      for (const text of ['one', 'two']) {
        await onLine(text);
        await new Promise<void>((resolve) => gates.push(resolve));
      }
    };
    const { number } = await uploadAndBuild();
    const lines: { number: number; text: string }[] = [];
    for await (const { data } of gateway.sse(LOG, { number, after: 0 })) {
      const { number: position, text } = data.imageBuildLog;
      lines.push({ number: position, text });
      // Nothing is written before the line has come.
      if (text === 'one' || text === 'two') {
        await expect.poll(() => gates.length).toBe(text === 'one' ? 1 : 2);
        gates.at(-1)!();
      }
    }
    expect(lines.map((line) => line.number)).toEqual(lines.map((_, index) => index + 1));
    const texts = lines.map(({ text }) => text);
    expect(texts.filter((text) => ['one', 'two'].includes(text))).toEqual(['one', 'two']);
    const again: string[] = [];
    for await (const { data } of gateway.sse(LOG, { number, after: texts.indexOf('two') })) {
      again.push(data.imageBuildLog.text);
    }
    expect(again).toEqual(texts.slice(texts.indexOf('two')));
  });

  test('reaches its reader within 250 ms', async () => {
    const written = new Map<string, number>();
    const reader = Promise.withResolvers<void>();
    building.work = async ({ onLine }) => {
      await onLine('the first');
      await reader.promise;
      for (let n = 0; n < 20; n += 1) {
        written.set(`line ${n}`, performance.now());
        await onLine(`line ${n}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const { number } = await uploadAndBuild();
    const delays: number[] = [];
    for await (const { data } of gateway.sse(LOG, { number, after: 0 })) {
      if (data.imageBuildLog.text === 'the first') reader.resolve();
      const at = written.get(data.imageBuildLog.text);
      if (at !== undefined) delays.push(performance.now() - at);
    }
    expect(delays).toHaveLength(20);
    expect(delays.sort((a, b) => a - b)[10]).toBeLessThan(250);
  });
});
