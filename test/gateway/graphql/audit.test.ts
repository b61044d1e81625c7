import { type GraphQLArgument, type GraphQLInputField, getNamedType, isInputObjectType } from 'graphql';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SHOWN } from '../../../src/gateway/graphql/audit/shown-arguments.ts';
import { schema } from '../../../src/gateway/graphql/schema.ts';
import { ADMIN_PASSWORD, type Caller, TestGateway } from '../../support/gateway.ts';

let gateway: TestGateway;
/** The entry behind which the test looks. */
let last: number;

beforeAll(async () => {
  gateway = await TestGateway.start();
});
afterAll(async () => {
  await gateway?.close();
});
beforeEach(async () => {
  const [row] = await gateway.stack.database.sql.query<{ id: number }>(
    'select coalesce(max(id), 0) as id from audit_log',
  );
  last = row!.id;
});

interface Entry {
  number: string;
  at: string;
  user: string | null;
  token: string | null;
  address: string | null;
  action: string;
  details: object;
  code: string | null;
}

/** What came since the test began, the first one first. */
async function entries(): Promise<Entry[]> {
  const query = '{ auditLog(first: 100) { nodes { number at user token address action details code } } }';
  const { auditLog } = await gateway.data(query, {}, 'admin');
  return auditLog.nodes.filter(({ number }: Entry) => Number(number) > last).reverse();
}

const summary = async () =>
  (await entries()).map(({ user, action, details, code }) => [user, action, details, code]);

const v2 = (method: string, path: string, as: Caller, body?: string, type = 'application/octet-stream') =>
  fetch(`${gateway.url}/v2/${path}`, {
    method,
    headers: { ...gateway.headers(as), 'content-type': type },
    ...(body !== undefined && { body }),
  });

describe('The audit log', () => {
  test('tells what was done, by whom, with what and from where', async () => {
    const before = Date.now();
    await gateway.data('mutation { createProject(name: "audited") { __typename } }');
    const [entry] = await entries();
    expect(entry).toEqual({
      number: expect.stringMatching(/^\d+$/),
      at: expect.any(String),
      user: 'ada',
      token: expect.stringMatching(/^\d+$/),
      address: '127.0.0.1',
      action: 'createProject',
      details: { name: 'audited' },
      code: null,
    });
    expect(Math.abs(Date.parse(entry!.at) - before)).toBeLessThan(60_000);
  });

  test('tells what was refused, and what failed', async () => {
    const taken = 'mutation { createProject(name: "apps") { __typename } }';
    await gateway.data(taken);
    await gateway.data('mutation { createUser(name: "mallory") { __typename } }', {}, 'eve');
    const { sql } = gateway.stack.database;
    await sql.query('alter table project_members rename to away');
    await gateway.graphql('mutation { createProject(name: "failing") { __typename } }');
    await sql.query('alter table away rename to project_members');
    expect(await summary()).toEqual([
      ['ada', 'createProject', { name: 'apps' }, 'conflict'],
      ['eve', 'createUser', { name: 'mallory' }, 'forbidden'],
      ['ada', 'createProject', { name: 'failing' }, 'internal'],
    ]);
  });

  test('does not grow by what nobody in particular is refused', async () => {
    await gateway.data('mutation { createProject(name: "nobody") { __typename } }', {}, 'anonymous');
    expect(await entries()).toEqual([]);
  });

  test('keeps no secrets', async () => {
    const secret = 'Sesame-open-4711';
    await gateway.data(
      'mutation ($password: String) { createUser(name: "carol", password: $password, email: "c@d.example") { __typename } }',
      { password: secret },
      'admin',
    );
    await gateway.graphql(
      `mutation ($input: BuildImageInput!) { buildImage(input: $input) { __typename } }`,
      {
        input: {
          project: 'apps',
          image: 'web',
          git: `https://bob:${secret}@git.example/a.git?private_token=${secret}&depth=1`,
          secrets: [{ name: 'token', value: secret }],
          buildArguments: [{ name: 'PASSWORD', value: secret }],
        },
      },
    );
    const told = await summary();
    expect(told.map(([, , details]) => details)).toEqual([
      { name: 'carol', password: '***', email: '***' },
      {
        input: {
          project: 'apps',
          image: 'web',
          git: 'https://***@git.example/a.git?private_token=***&depth=1',
          secrets: '***',
          buildArguments: '***',
          repository: 'images',
          version: 'latest',
          policy: 'replace',
        },
      },
    ]);
    const [row] = await gateway.stack.database.sql.query<{ text: string }>(
      'select string_agg(a::text, chr(10)) as text from audit_log a',
    );
    expect(row!.text).not.toContain(secret);
  });

  test('has what the REST dialects change', async () => {
    const response = await fetch(`${gateway.url}/api/v1/requests`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...gateway.headers('ada') },
      body: JSON.stringify({ repo: 'https://git.example/a.git', ref: 'a'.repeat(40) }),
    });
    expect(response.status).toBe(201);
    expect(await entries()).toMatchObject([
      { user: 'ada', address: '127.0.0.1', action: 'submitCachitoRequest', details: { body: '***' } },
    ]);
  });

  test('has what is pushed and deleted in the registry', async () => {
    const config = 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a';
    const uploaded = await v2('POST', `apps/images/audited/blobs/uploads/?digest=${config}`, 'ada', '{}');
    expect(uploaded.status).toBe(201);
    const type = 'application/vnd.oci.image.manifest.v1+json';
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: type,
      config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: config, size: 2 },
      layers: [],
    });
    const path = 'apps/images/audited/manifests/1';
    expect((await v2('PUT', path, 'ada', manifest, type)).status).toBe(201);
    expect((await v2('DELETE', path, 'bob')).status).toBe(403);
    expect((await v2('DELETE', path, 'ada')).status).toBe(202);
    expect((await v2('DELETE', `apps/images/audited/blobs/${config}`, 'ada')).status).toBe(202);
    const image = 'apps/images/audited';
    expect(await summary()).toEqual([
      ['ada', 'pushManifest', { image, reference: '1', tags: [] }, null],
      ['bob', 'deleteManifest', { image, reference: '1' }, 'registry-denied'],
      ['ada', 'deleteManifest', { image, reference: '1' }, null],
      ['ada', 'deleteBlob', { image, digest: config }, null],
    ]);
  });

  test('has logins with a password', async () => {
    const response = await fetch(`${gateway.url}/api/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: 'admin', password: ADMIN_PASSWORD }),
    });
    expect(response.status).toBe(200);
    expect((await entries())[0]).toMatchObject({ user: 'admin', token: null, action: 'logIn', code: null });
  });

  test('is searched by user, action and time, and read in pages', async () => {
    for (const name of ['page-1', 'page-2', 'page-3']) {
      await gateway.data('mutation ($name: String!) { createProject(name: $name) { __typename } }', { name });
    }
    const named = async (args: string) => {
      const query = `{ auditLog(${args}) { nodes { details } pageInfo { endCursor hasNextPage } } }`;
      const { nodes, pageInfo } = (await gateway.data(query, {}, 'admin')).auditLog;
      return { names: nodes.map(({ details }: { details: { name: string } }) => details.name), pageInfo };
    };
    const first = await named('user: "ada", action: "createProject", first: 2');
    expect(first.names).toEqual(['page-3', 'page-2']);
    const next = await named(
      `user: "ada", action: "createProject", first: 1, after: "${first.pageInfo.endCursor}"`,
    );
    expect([next.names, next.pageInfo.hasNextPage]).toEqual([['page-1'], true]);
    expect((await named('user: "bob", action: "createProject"')).names).toEqual([]);
    expect((await named('action: "createProject", until: "2020-01-01T00:00:00Z"')).names).toEqual([]);
    expect((await named('since: "2020-01-01T00:00:00Z", first: 1')).names).toEqual(['page-3']);
  });

  test.each([
    `update audit_log set user_name = 'nobody'`,
    'delete from audit_log',
    'truncate audit_log',
    'delete from audit_log where false',
  ])('is only ever added to: %s', async (statement) => {
    const { sql } = gateway.stack.database;
    await expect(sql.query(statement)).rejects.toThrow('the audit log is only ever added to');
  });
});

test('the audit log shows arguments that there are, and all but those that hold secrets, texts or documents', () => {
  const hidden = [
    ...['body', 'buildArguments', 'configuration', 'description', 'displayName', 'email', 'file', 'labels'],
    ...['oldPassword', 'password', 'reason', 'secrets', 'value'],
  ];
  const names = new Set<string>();
  const seen = new Set<object>();
  const visit = (args: readonly (GraphQLArgument | GraphQLInputField)[]): void => {
    for (const { name, type } of args) {
      names.add(name);
      const named = getNamedType(type);
      if (!isInputObjectType(named) || seen.has(named)) continue;
      seen.add(named);
      visit(Object.values(named.getFields()));
    }
  };
  for (const field of Object.values(schema.getMutationType()!.getFields())) visit(field.args);
  expect([...SHOWN].filter((name) => !names.has(name))).toEqual([]);
  expect([...names].filter((name) => !SHOWN.has(name)).sort()).toEqual(hidden);
});
