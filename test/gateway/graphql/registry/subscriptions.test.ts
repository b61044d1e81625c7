import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { collectGarbage } from '../../../../src/domain/garbage/collect-garbage.ts';
import { GRACE } from '../../../../src/domain/garbage/garbage.ts';
import { RegistryGraphQL } from '../../../support/registry-graphql.ts';
import { RegistryStack } from '../../../support/registry-stack.ts';

let stack: RegistryStack;
let graphql: RegistryGraphQL;

beforeAll(async () => {
  stack = await RegistryStack.start();
  graphql = new RegistryGraphQL(stack);
});
afterAll(async () => await stack?.close());

/** The next items of a subscription. */
const take = async (stream: AsyncGenerator<{ data: unknown }>, count: number) => {
  // biome-ignore lint/suspicious/noExplicitAny: what the test asked for.
  const items: any[] = [];
  for (let taken = 0; taken < count; taken += 1) {
    const { value, done } = await stream.next();
    if (done) break;
    items.push(value.data);
  }
  return items;
};

const EVENTS = `subscription ($path: String!, $after: Int) {
  imageEvents(path: $path, afterVersion: $after) { version type data image { path } }
}`;

describe('events of an image', () => {
  const path = 'apps/images/watched';

  test('from the first, then those to come, without gaps; again from the last one seen', async () => {
    const { digest } = await stack.pushImage(path, '1');
    const stream = graphql.subscribe(EVENTS, { path, after: 0 });
    const [pushed] = await take(stream, 1);
    expect(pushed.imageEvents).toMatchObject({
      version: 1,
      type: 'pushed',
      data: { digest, tags: ['1'] },
      image: { path },
    });
    await graphql.change(`tagManifest(image: "${path}", reference: "1", tag: "2")`, 'name');
    await graphql.change(`promoteTag(image: "${path}", tag: "2")`, 'name');
    await graphql.change(`renameTag(image: "${path}", from: "2", to: "3")`, 'name');
    await stack.call('DELETE', `/v2/${path}/manifests/3`);
    await stack.call('DELETE', `/v2/${path}/manifests/${digest}`);
    const rest = await take(stream, 5);
    expect(rest.map(({ imageEvents: { version, type, data } }) => [version, type, data])).toEqual([
      [2, 'tagged', { tag: '2', digest }],
      [3, 'promoted', { tag: '2', stage: '@prerelease' }],
      [4, 'tag-renamed', { from: '2', to: '3' }],
      [5, 'tag-deleted', { tag: '3', digest }],
      [6, 'manifest-deleted', expect.objectContaining({ digest })],
    ]);
    await stream.return(undefined);
    await stack.pushImage(path, '4');
    const resumed = await take(graphql.subscribe(EVENTS, { path, after: 5 }), 2);
    expect(resumed.map(({ imageEvents: { version } }) => version)).toEqual([6, 7]);
  });

  test.each([
    [{ path: 'apps/images/none', after: 0 }, 'There is no image "apps/images/none"', 'not-found'],
    [{ path, after: -1 }, 'afterVersion must not be negative', 'invalid-input'],
    [{ path, after: 99 }, 'There are only 7 versions yet', 'invalid-input'],
  ])('%j is refused', async (variables, message, code) => {
    const { errors } = (await graphql.subscribe(EVENTS, variables).next()).value!;
    expect(errors).toMatchObject([{ message, extensions: { code } }]);
  });

  test('an image of others looks like one that is not there', async () => {
    const { errors } = (await graphql.subscribe(EVENTS, { path, after: 0 }, 'eve').next()).value!;
    expect(errors[0].extensions.code).toBe('not-found');
  });

  test('end when the repository goes', async () => {
    await graphql.change('createRepository(input: {project: "apps", name: "brief"})', 'path', 'olga');
    await stack.pushImage('apps/brief/app', '1');
    const events = graphql.subscribe(EVENTS, { path: 'apps/brief/app', after: 0 });
    const ofRepository = graphql.subscribe(
      'subscription { repositoryEvents(project: "apps", name: "brief") { version type } }',
    );
    await take(events, 1);
    expect(await take(ofRepository, 1)).toEqual([{ repositoryEvents: { version: 1, type: 'created' } }]);
    await graphql.change('deleteRepository(project: "apps", name: "brief", forced: true)', 'path', 'olga');
    const [last, ...more] = await take(events, 2);
    expect(last.imageEvents).toMatchObject({ type: 'image-deleted', data: { path: 'apps/brief/app' } });
    expect(more).toEqual([]);
    expect(await take(ofRepository, 2)).toEqual([{ repositoryEvents: { version: 2, type: 'deleted' } }]);
  });
});

describe('the feed', () => {
  const FEED = `subscription ($after: String, $types: [String!], $repository: String) {
    imageFeed(after: $after, types: $types, repository: $repository) { cursor event { type image { path } } }
  }`;

  test('shows what the caller may see, and goes on behind a cursor', async () => {
    await stack.pushImage('library/images/hidden', '1', 'hidden', 'admin');
    await stack.pushImage('apps/images/feed-a', '1');
    await stack.pushImage('apps/images/feed-b', '1');
    const all = { after: '0.0', types: ['pushed'], repository: 'images' };
    const paths = (items: { imageFeed: { event: { image: { path: string } } } }[]) =>
      items.map((item) => item.imageFeed.event.image.path);
    const asAdmin = await take(graphql.subscribe(FEED, all, 'admin'), 5);
    expect(paths(asAdmin).slice(-3)).toEqual([
      'library/images/hidden',
      'apps/images/feed-a',
      'apps/images/feed-b',
    ]);
    const asAda = await take(graphql.subscribe(FEED, all), 4);
    expect(paths(asAda).slice(-2)).toEqual(['apps/images/feed-a', 'apps/images/feed-b']);
    const after = asAda.at(-2).imageFeed.cursor;
    expect(paths(await take(graphql.subscribe(FEED, { after }), 1))).toEqual(['apps/images/feed-b']);
  });

  test('a cursor that is none is refused', async () => {
    const { errors } = (await graphql.subscribe(FEED, { after: 'x' }).next()).value!;
    expect(errors).toMatchObject([{ message: '"x" is not a cursor of the feed' }]);
  });
});

test('pulls are told soon after they are counted', async () => {
  const path = 'apps/images/pulled';
  await stack.pushImage(path, '1');
  const stream = graphql.subscribe('subscription { imagePulls(path: "apps/images/pulled") { downloads } }');
  expect(await take(stream, 1)).toEqual([{ imagePulls: { downloads: 0 } }]);
  await stack.call('GET', `/v2/${path}/manifests/1`);
  await stack.call('GET', `/v2/${path}/manifests/1`);
  expect(await take(stream, 1)).toEqual([{ imagePulls: { downloads: 2 } }]);
  await stream.return(undefined);
});

describe('the collector', () => {
  const RUNS =
    '{ garbageRuns { nodes { number state removed { kind items } error } } garbage { kind items } }';
  const FEED = `subscription { garbageRunFeed(after: "0.0") { number version state removed { kind items why } } }`;

  test('its runs and their progress are for administrators', async () => {
    const path = 'apps/images/garbage';
    const { digest } = await stack.pushImage(path, '1');
    await stack.call('DELETE', `/v2/${path}/manifests/${digest}`);
    await stack.database.sql.query(`update image_blobs set touched_at = now() - interval '2 hours'`);
    const { garbage } = await graphql.data(RUNS, {}, 'admin');
    const unused = garbage.find(({ kind }: { kind: string }) => kind === 'unusedImageBlobs');
    expect(unused.items).toBeGreaterThan(0);
    const { database, blobs } = stack;
    const run = await collectGarbage({ database, blobs, grace: GRACE, strayFiles: false });
    const feed = graphql.subscribe(FEED, {}, 'admin');
    // A run that takes its time says every second how far it is.
    for (let version = 1, state = 'RUNNING'; state === 'RUNNING'; version += 1) {
      const [{ garbageRunFeed }] = await take(feed, 1);
      state = garbageRunFeed.state;
      expect(garbageRunFeed).toMatchObject({ number: run!.id, version });
      if (state !== 'RUNNING') expect(state).toBe('COMPLETE');
    }
    await feed.return(undefined);
    const { garbageRuns } = await graphql.data(RUNS, {}, 'admin');
    expect(garbageRuns.nodes).toEqual([
      {
        number: run!.id,
        state: 'COMPLETE',
        removed: expect.arrayContaining([{ kind: 'unusedImageBlobs', items: unused.items }]),
        error: null,
      },
    ]);
    expect((await graphql.run(RUNS, {}, 'olga')).errors?.[0]?.extensions.code).toBe('forbidden');
    const { errors } = (await graphql.subscribe(FEED, {}, 'olga').next()).value!;
    expect(errors[0].extensions.code).toBe('forbidden');
  });
});
