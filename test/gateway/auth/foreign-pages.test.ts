import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { BOUNDARY, multipartBody } from '../../support/multipart.ts';
import { PASSWORD, RegistryStack } from '../../support/registry-stack.ts';

/** What a browser sends along by itself, whichever page is open, must not do what a page of another site wants. */
let stack: RegistryStack;

beforeAll(async () => {
  stack = await RegistryStack.start({ STOWAGE_TRUSTED_PROXIES: '127.0.0.1 ::1' });
});
afterAll(() => stack?.close());

const BASIC = `Basic ${Buffer.from(`ada:${PASSWORD}`).toString('base64')}`;
const FORM = {
  'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
  body: multipartBody([
    ['version', 'v1'],
    ['source', { name: 'workspace.zip', content: Buffer.from('PK') }],
  ]),
};
/** All that a form can call it. */
const TEXT = (value: object) => ({ 'content-type': 'text/plain', body: JSON.stringify(value) });

/** Requests that a form, or a script without leave of ours, can make. */
const FORGED: [string, string, { 'content-type': string; body: string | Buffer }][] = [
  ['a source for Fandogh', '/api/images/app/versions', FORM],
  ['an image of Fandogh', '/api/images', TEXT({ name: 'forged' })],
  ['a project of bk-repo', '/repository/api/project/create', TEXT({ name: 'forged', displayName: 'forged' })],
  [
    'a user of bk-repo',
    '/auth/api/user/create',
    TEXT({ userId: 'forged', name: 'forged', pwd: 'forged-forged' }),
  ],
];

const FOREIGN: [string, Record<string, string>][] = [
  ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
  ['another host of the domain', { 'sec-fetch-site': 'same-site' }],
  ['an older browser', { origin: 'https://evil.example' }],
  ['a sandbox', { origin: 'null' }],
];

describe.each(FOREIGN)('a page of %s', (_page, headers) => {
  test.each(FORGED)('cannot forge %s', async (_title, path, { body, ...type }) => {
    for (const ambient of [{ 'x-remote-user': 'ada' }, { authorization: BASIC }]) {
      const sent = { ...type, ...headers, ...ambient };
      const answer = await stack.call('POST', path, { as: 'anonymous', headers: sent, body });
      expect([answer.status, answer.body.toString()]).toEqual([
        403,
        // bk-repo has one text for all of these.
        expect.stringMatching(/A page of another site has sent this|Access denied: Forbidden/),
      ]);
    }
    const { sql } = stack.database;
    for (const table of ['published_versions', 'uploads'])
      expect(await sql.query(`select from ${table}`)).toEqual([]);
    expect(await sql.query(`select from projects where name = 'forged'`)).toEqual([]);
  });

  test('cannot push', async () => {
    const path = '/v2/apps/images/forged/blobs/uploads/';
    const sent = { ...headers, authorization: BASIC };
    const answer = await stack.call('POST', path, { as: 'anonymous', headers: sent });
    expect([answer.status, answer.codes()]).toEqual([403, ['DENIED']]);
  });

  test('cannot open a web socket', async () => {
    const url = `${stack.url.replace('http', 'ws')}/graphql`;
    const socket = new WebSocket(url, 'graphql-transport-ws', {
      headers: { ...headers, 'x-remote-user': 'ada' },
    });
    await once(socket, 'open');
    socket.send(JSON.stringify({ type: 'connection_init' }));
    expect((await once(socket, 'close'))[0]).toBe(4403);
  });

  test('may read, which it cannot see, and use a token, which no browser sends by itself', async () => {
    const read = await stack.call('GET', '/api/v1/requests', {
      as: 'anonymous',
      headers: { ...headers, 'x-remote-user': 'ada' },
    });
    expect(read.status).toBe(200);
    const body = JSON.stringify({ query: '{ me { name } }' });
    const type = { 'content-type': 'application/json' };
    const asked = await stack.call('POST', '/graphql', { headers: { ...headers, ...type }, body });
    expect(asked.json()).toEqual({ data: { me: { name: 'ada' } } });
  });
});

test.each<[string, () => Record<string, string>]>([
  ['a page of ours', () => ({ 'sec-fetch-site': 'same-origin', origin: stack.url })],
  ['a page of ours in an older browser', () => ({ origin: stack.url })],
  [
    'a page of ours behind a proxy',
    () => ({
      origin: 'https://stowage.example',
      'x-forwarded-host': 'stowage.example',
      'x-forwarded-proto': 'https',
    }),
  ],
  ['the address bar', () => ({ 'sec-fetch-site': 'none' })],
  ['no browser', () => ({})],
])('%s may do what its user may', async (_title, headers) => {
  const answer = await stack.call('POST', '/graphql', {
    as: 'anonymous',
    headers: { ...headers(), 'content-type': 'application/json', 'x-remote-user': 'ada' },
    body: JSON.stringify({ query: '{ me { name } }' }),
  });
  expect(answer.json()).toEqual({ data: { me: { name: 'ada' } } });
});
