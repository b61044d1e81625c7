import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PersistedOperations } from '../../../src/gateway/graphql/persisted-operations.ts';
import { TestGateway } from '../../support/gateway.ts';

const ME = 'query Me { me { name } }';
const CREATE = 'mutation ($name: String!) { createProject(name: $name) { __typename } }';
const NAMES = 'subscription ($after: String) { bundleRequestFeed(after: $after) { cursor } }';
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

let directory: string;
let gateway: TestGateway;

/** Only these documents, and no help to find out what else there is. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stowage-operations-'));
  const file = join(directory, 'operations.json');
  await writeFile(file, JSON.stringify({ me: ME, create: CREATE, names: NAMES }));
  gateway = await TestGateway.start({
    environment: {
      STOWAGE_GRAPHQL_OPERATIONS: file,
      STOWAGE_GRAPHQL_ONLY_OPERATIONS: 'true',
      STOWAGE_GRAPHQL_INTROSPECTION: 'false',
    },
  });
});
afterAll(async () => {
  await gateway?.close();
  await rm(directory, { recursive: true, force: true });
});

const answer = async (body: object) => await (await gateway.post(body)).json();
const persisted = (text: string) => ({ persistedQuery: { version: 1, sha256Hash: sha256(text) } });

describe('Operations that the server knows', () => {
  test.each<[string, object]>([
    ['by their name', { documentId: sha256(ME) }],
    ['by their name with its algorithm', { documentId: `sha256:${sha256(ME)}` }],
    ['as Apollo names them', { extensions: persisted(ME) }],
    ['as they are', { query: ME }],
    ['with name and text', { query: ME, extensions: persisted(ME) }],
  ])('are run %s', async (_how, body) => {
    expect(await answer(body)).toEqual({ data: { me: { name: 'ada' } } });
  });

  test('take variables', async () => {
    const { data } = await answer({ documentId: sha256(CREATE), variables: { name: 'persisted' } });
    expect(data.createProject.__typename).toBe('MutationCreateProjectSuccess');
  });

  test('may be asked for by GET, if they change nothing', async () => {
    const get = async (text: string) => {
      const extensions = encodeURIComponent(JSON.stringify(persisted(text)));
      return await fetch(`${gateway.url}/graphql?extensions=${extensions}`, {
        headers: { accept: 'application/json', ...gateway.headers('ada') },
      });
    };
    expect(await (await get(ME)).json()).toEqual({ data: { me: { name: 'ada' } } });
    expect((await get(CREATE)).status).toBe(405);
  });

  test('are the only ones', async () => {
    for (const query of ['{ me { name } }', `${ME} `, '{ __typename }']) {
      expect(await answer({ query })).toMatchObject({ errors: [{ extensions: { code: 'forbidden' } }] });
      const named = { query, documentId: sha256(ME), extensions: persisted(ME) };
      expect(await answer(named)).toMatchObject({ errors: [{ extensions: { code: 'forbidden' } }] });
    }
  });

  test.each<[object]>([
    [{ documentId: sha256('x') }],
    [{ extensions: persisted('x') }],
    [{ documentId: '__proto__' }],
  ])('are not guessed: %j', async (body) => {
    expect(await answer(body)).toEqual({
      errors: [{ message: 'PersistedQueryNotFound', extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' } }],
    });
  });

  test('are the only ones over web sockets, too', async () => {
    const client = gateway.socket();
    const first = async (payload: object) => {
      for await (const result of client.iterate(payload as { query: string })) return result;
      return null;
    };
    expect(await first({ query: ME })).toEqual({ data: { me: { name: 'ada' } } });
    expect(await first({ query: '', extensions: persisted(ME) })).toEqual({ data: { me: { name: 'ada' } } });
    const refused = await first({ query: '{ me { name } }' }).catch((error: unknown) => error);
    expect(refused).toMatchObject([{ extensions: { code: 'forbidden' } }]);
    await client.dispose();
  });
});

test('a file of operations that do not fit is told of at the start', async () => {
  const file = join(directory, 'wrong.json');
  for (const [text, message] of [
    ['{', 'STOWAGE_GRAPHQL_OPERATIONS: the file is no JSON'],
    ['null', 'STOWAGE_GRAPHQL_OPERATIONS: the file is no JSON'],
    ['[1]', 'STOWAGE_GRAPHQL_OPERATIONS: the file must be a JSON array or object of documents'],
    ['["{ nope }"]', 'Cannot query field "nope" on type "Query". (in "{ nope }")'],
    ['["{"]', 'Syntax Error: Expected Name, found <EOF>.'],
  ] as const) {
    await writeFile(file, text);
    const opening = PersistedOperations.open({ graphqlOperations: file, graphqlOnlyOperations: false });
    await expect(opening).rejects.toThrow(message);
  }
});
