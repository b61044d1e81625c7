import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RegistryGraphQL } from '../../../support/registry-graphql.ts';
import { RegistryStack, type User } from '../../../support/registry-stack.ts';

let stack: RegistryStack;
let graphql: RegistryGraphQL;

beforeAll(async () => {
  stack = await RegistryStack.start();
  graphql = new RegistryGraphQL(stack);
});
afterAll(async () => await stack?.close());

const refused = (typename: string, code: string, message: string) => ({
  __typename: typename,
  code,
  message,
});
const DENIED = refused('RegistryError', 'registry-denied', 'Only owners of "apps" may do this');
const LOG_IN = refused('RegistryError', 'registry-unauthorized', 'authentication required');

describe('repositories', () => {
  const create = (input: string) => `createRepository(input: {${input}})`;

  test('are made by owners and administrators', async () => {
    const made = await graphql.change(
      create(
        'project: "apps", name: "charts", type: OCI, isPublic: true, quota: 1000, description: "Charts"',
      ),
      'path type category isPublic quota description version createdBy { name }',
      'olga',
    );
    expect(made).toEqual({
      path: 'apps/charts',
      type: 'OCI',
      category: 'LOCAL',
      isPublic: true,
      quota: 1000,
      description: 'Charts',
      version: 1,
      createdBy: { name: 'olga' },
    });
  });

  test.each([
    ['ada', 'project: "apps", name: "x"', DENIED],
    ['eve', 'project: "apps", name: "x"', DENIED],
    ['anonymous', 'project: "apps", name: "x"', LOG_IN],
    [
      'olga',
      'project: "none", name: "x"',
      refused('RegistryError', 'name-unknown', 'There is no project "none"'),
    ],
    [
      'olga',
      'project: "apps", name: "images"',
      refused('ConflictError', 'conflict', 'There is a repository "images" in "apps" already'),
    ],
    [
      'olga',
      'project: "apps", name: "../x"',
      refused('InvalidInputError', 'invalid-input', '"../x" is not a valid repository name'),
    ],
    [
      'olga',
      'project: "apps", name: "x", quota: -1',
      refused('InvalidInputError', 'invalid-input', 'The quota must be a number of bytes'),
    ],
  ] as const)('%s: %s', async (as, input, expected) => {
    expect(await graphql.change(create(input), 'path', as)).toEqual(expected);
  });

  test('members may do in one repository what their role allows, until it is taken away', async () => {
    const path = 'apps/members/app';
    await graphql.change(create('project: "apps", name: "members"'), 'name', 'olga');
    const { digest } = await stack.pushImage(path, '1', '1', 'olga');
    const set = (user: string, role: string, as: User = 'olga') =>
      graphql.change(
        `setRepositoryMember(project: "apps", name: "members", user: "${user}", role: ${role})`,
        'members { user { name } role }',
        as,
      );
    const pull = async () => (await stack.call('GET', `/v2/${path}/manifests/1`, { as: 'eve' })).status;
    const drop = async () => (await stack.call('DELETE', `/v2/${path}/manifests/1`, { as: 'eve' })).status;
    expect(await pull()).toBe(403);
    expect(await set('eve', 'VIEWER')).toEqual({ members: [{ user: { name: 'eve' }, role: 'VIEWER' }] });
    expect([await pull(), await drop()]).toEqual([200, 403]);
    expect(await stack.call('GET', '/v2/apps/images/other/tags/list', { as: 'eve' })).toMatchObject({
      status: 403,
    });
    await set('eve', 'DEVELOPER');
    expect(await drop()).toBe(202);
    await graphql.change(`tagManifest(image: "${path}", reference: "${digest}", tag: "1")`, 'name', 'eve');
    // Whom others do not see.
    const query = '{ repository(project: "apps", name: "members") { members { role } } }';
    expect((await graphql.data(query, {}, 'eve')).repository).toEqual({ members: null });
    await set('eve', 'OWNER');
    expect(await set('bob', 'OWNER', 'eve')).toMatchObject({
      members: [{ role: 'OWNER' }, { role: 'OWNER' }],
    });
    await set('bob', 'null');
    expect(await set('eve', 'null')).toEqual({ members: [] });
    expect(await pull()).toBe(403);
    expect(await set('nobody', 'VIEWER')).toEqual(
      refused('NotFoundError', 'not-found', 'There is no user "nobody"'),
    );
  });

  test('change: what is absent stays, null takes away', async () => {
    await graphql.change(
      create('project: "apps", name: "changing", displayName: "A", quota: 7'),
      'path',
      'olga',
    );
    const change = async (changes: string) =>
      await graphql.change(
        `changeRepository(project: "apps", name: "changing", changes: {${changes}})`,
        'displayName quota isPublic description version modifiedBy { name }',
        'olga',
      );
    const base = {
      displayName: 'A',
      quota: 7,
      isPublic: false,
      description: '',
      modifiedBy: { name: 'olga' },
    };
    expect(await change('isPublic: true')).toEqual({ ...base, isPublic: true, version: 2 });
    expect(await change('quota: null, description: "d"')).toEqual({
      ...base,
      isPublic: true,
      quota: null,
      description: 'd',
      version: 3,
    });
    expect(await change('displayName: null, isPublic: null')).toMatchObject({
      displayName: null,
      isPublic: true,
    });
  });

  test('their configuration is for their owners', async () => {
    const input = 'project: "apps", name: "secret", configuration: {password: "x"}';
    expect(await graphql.change(create(input), 'configuration', 'olga')).toEqual({
      configuration: { password: 'x' },
    });
    const query = '{ repository(project: "apps", name: "secret") { name configuration } }';
    expect(await graphql.data(query)).toEqual({ repository: { name: 'secret', configuration: null } });
    expect(await graphql.data(query, {}, 'eve')).toEqual({ repository: null });
  });

  test('go with what is in them only by force', async () => {
    await graphql.change(create('project: "apps", name: "full"'), 'path', 'olga');
    await stack.pushImage('apps/full/app', '1');
    const remove = (forced: boolean) => `deleteRepository(project: "apps", name: "full", forced: ${forced})`;
    expect(await graphql.change(remove(false), 'path', 'olga')).toEqual(
      refused('ConflictError', 'conflict', 'Repository "full" is not empty'),
    );
    expect(await graphql.change(remove(true), 'path', 'ada')).toEqual(DENIED);
    expect((await stack.call('GET', '/v2/apps/full/app/manifests/1')).status).toBe(200);
    expect(await graphql.change(remove(true), 'path', 'olga')).toEqual({ path: 'apps/full' });
    expect((await stack.call('GET', '/v2/apps/full/app/manifests/1')).status).toBe(404);
    expect(await graphql.change(remove(true), 'path', 'olga')).toEqual(
      refused('RegistryError', 'name-unknown', 'There is no repository "full" in "apps"'),
    );
  });
});

describe('tags', () => {
  const APP = 'apps/images/app';
  let digest: string;

  beforeAll(async () => {
    ({ digest } = await stack.pushImage(APP, '1'));
  });

  const tag = (reference: string, name: string) =>
    `tagManifest(image: "${APP}", reference: "${reference}", tag: "${name}")`;
  const unknown = refused('RegistryError', 'manifest-unknown', 'there is no such manifest here');

  test('are put on manifests by tag and by digest, and move', async () => {
    expect(await graphql.change(tag('1', 'latest'), 'name manifest { digest }')).toEqual({
      name: 'latest',
      manifest: { digest },
    });
    const other = await stack.pushImage(APP, '2', 'other');
    expect(await graphql.change(tag(other.digest, 'latest'), 'manifest { digest tags { name } }')).toEqual({
      manifest: { digest: other.digest, tags: [{ name: '2' }, { name: 'latest' }] },
    });
    const answer = await stack.call('GET', `/v2/${APP}/manifests/latest`);
    expect(answer.headers.get('docker-content-digest')).toBe(other.digest);
  });

  test.each([
    ['9', 'x', unknown],
    [`sha256:${'0'.repeat(64)}`, 'x', unknown],
    ['1', '.x', refused('InvalidInputError', 'invalid-input', '".x" is not a valid tag')],
  ])('%s as %s is refused', async (reference, name, expected) => {
    expect(await graphql.change(tag(reference, name), 'name')).toEqual(expected);
  });

  test.each([
    ['bob', 'registry-denied'],
    ['eve', 'registry-denied'],
    ['anonymous', 'registry-unauthorized'],
  ] as const)('%s may not', async (as, code) => {
    expect(await graphql.change(tag('1', 'x'), 'name', as)).toMatchObject({ code });
    expect(await graphql.change(`deleteTag(image: "${APP}", tag: "1")`, '', as)).toMatchObject({ code });
    expect(await graphql.change(`deleteImage(path: "${APP}")`, 'path', as)).toMatchObject({ code });
    expect(await graphql.change(`promoteTag(image: "${APP}", tag: "1")`, 'name', as)).toMatchObject({ code });
  });

  test('get other names, with their pulls', async () => {
    await graphql.change(tag('1', 'draft'), 'name');
    await stack.database.sql.query(`update tags set downloads = 5 where name = 'draft'`);
    await stack.database.sql.query(
      `insert into tag_pulls (image_id, tag, day, pulls) select image_id, name, now(), 5 from tags where name = 'draft'`,
    );
    const rename = `renameTag(image: "${APP}", from: "draft", to: "final")`;
    expect(await graphql.change(rename, 'name downloads pullsByDay { pulls }')).toEqual({
      name: 'final',
      downloads: 5,
      pullsByDay: [{ pulls: 5 }],
    });
    expect(await graphql.change(rename, 'name')).toEqual(unknown);
    expect(await graphql.change(`renameTag(image: "${APP}", from: "final", to: "1")`, 'name')).toEqual(
      refused('ConflictError', 'conflict', 'There is a tag "1" already'),
    );
  });

  test('are promoted, only ever forward', async () => {
    const promote = (stage: string) =>
      graphql.change(`promoteTag(image: "${APP}", tag: "1"${stage})`, 'stages');
    expect(await promote('')).toEqual({ stages: ['PRERELEASE'] });
    const illegal = refused('ConflictError', 'conflict', 'Illegal stage');
    expect(await promote(', stage: PRERELEASE')).toEqual(illegal);
    expect(await promote(', stage: RELEASE')).toEqual({ stages: ['PRERELEASE', 'RELEASE'] });
    expect(await promote('')).toEqual(illegal);
    const { image } = await graphql.data(
      `{ image(path: "${APP}") { tags(stage: RELEASE) { nodes { name } } } }`,
    );
    expect(image.tags.nodes).toEqual([{ name: '1' }]);
  });

  test('are deleted without their manifest', async () => {
    await graphql.change(tag('1', 'gone'), 'name');
    expect(await graphql.change(`deleteTag(image: "${APP}", tag: "gone")`, '')).toBe('gone');
    expect((await stack.call('HEAD', `/v2/${APP}/manifests/gone`)).status).toBe(404);
    expect((await stack.call('HEAD', `/v2/${APP}/manifests/${digest}`)).status).toBe(200);
    expect(await graphql.change(`deleteTag(image: "${APP}", tag: "gone")`, '')).toEqual(unknown);
  });

  test('go with their manifest, and with their image', async () => {
    const path = 'apps/images/short-lived';
    const one = await stack.pushImage(path, '1');
    await stack.pushImage(path, '2', 'second');
    const remove = `deleteManifest(image: "${path}", digest: "${one.digest}")`;
    expect(await graphql.change(remove, '')).toBe(one.digest);
    expect((await stack.call('GET', `/v2/${path}/tags/list`)).json().tags).toEqual(['2']);
    expect(await graphql.change(`deleteImage(path: "${path}")`, 'path manifests')).toEqual({
      path,
      manifests: 1,
    });
    expect(await graphql.data(`{ image(path: "${path}") { path } }`)).toEqual({ image: null });
    expect(await graphql.change(`deleteImage(path: "${path}")`, 'path')).toEqual(
      refused('RegistryError', 'name-unknown', 'there is no such repository'),
    );
    await stack.pushImage(path, '3', 'again');
    const { image } = await graphql.data(`{ image(path: "${path}") { tags { nodes { name } } } }`);
    expect(image.tags.nodes).toEqual([{ name: '3' }]);
  });

  test.each([
    ['deleteManifest', 'image: "apps/images/app", digest: "sha256:short"', 'digest-invalid'],
    ['deleteTag', 'image: "Apps/Images", tag: "1"', 'name-invalid'],
  ])('%s(%s) has the code %s', async (field, args, code) => {
    expect(await graphql.change(`${field}(${args})`, '')).toMatchObject({
      __typename: 'RegistryError',
      code,
    });
  });
});

describe('retention', () => {
  const RULES = '{keepLatest: 1, keepTags: ["v.*"], untaggedDays: 3, orphans: KEEP}';
  const set = (rules: string) => `setRetention(project: "apps", name: "kept", rules: ${rules})`;

  test('is shown first, then set, then taken away', async () => {
    await graphql.change('createRepository(input: {project: "apps", name: "kept"})', 'path', 'olga');
    for (const [index, name] of ['old', 'v1', 'new'].entries())
      await stack.pushImage('apps/kept/app', name, `${index}`);
    const preview = `{ retentionPreview(project: "apps", name: "kept", rules: ${RULES}) { path tag image { path } } }`;
    expect(await graphql.data(preview, {}, 'olga')).toEqual({
      retentionPreview: [{ path: 'apps/kept/app', tag: 'old', image: { path: 'apps/kept/app' } }],
    });
    expect((await graphql.run(preview, {}, 'ada')).errors).toMatchObject([
      { message: DENIED.message, extensions: { code: 'registry-denied' } },
    ]);
    const selection = 'retention { keepLatest keepTags keepDays untaggedDays orphans }';
    expect(await graphql.change(set(RULES), selection, 'olga')).toEqual({
      retention: { keepLatest: 1, keepTags: ['v.*'], keepDays: null, untaggedDays: 3, orphans: 'KEEP' },
    });
    expect(await graphql.change(set('null'), selection, 'olga')).toEqual({ retention: null });
  });

  test.each([
    ['{keepLatest: 0}', 'keepLatest is a whole number from 1 to 1000000'],
    ['{keepTags: ["("]}', '"(" is not a regular expression'],
    ['{keepSince: "soon"}', 'keepSince is a date like 2024-05-31T12:00:00Z'],
  ])('%s is refused', async (rules, message) => {
    expect(await graphql.change(set(rules), 'path', 'olga')).toEqual(
      refused('InvalidInputError', 'invalid-input', message),
    );
  });
});
