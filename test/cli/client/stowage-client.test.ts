import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { requestEvents, submitRequest } from '../../../src/cli/client/bundle-requests.ts';
import { StowageClient } from '../../../src/cli/client/stowage-client.ts';
import { uploadSource } from '../../../src/cli/client/upload-source.ts';
import { eventStream, fakeServer, json } from './fake-server.ts';

const signal = new AbortController().signal;
const eventOf = (version: number, type = 'PROGRESS') => ({
  bundleRequestEvents: { version, at: '2026-01-01T00:00:00Z', type, data: {} },
});

test('a subscription goes on when a server has ended, and when its database is back', async () => {
  const answers = [
    (response: ServerResponse) => void response.writeHead(503).end(),
    (response: ServerResponse) =>
      json(response, { errors: [{ message: 'Away', extensions: { code: 'database-unavailable' } }] }),
    (response: ServerResponse) => eventStream(response, [eventOf(1)], 'complete'),
  ];
  const server = await fakeServer((_, response) => answers.shift()!(response));
  const lost: string[] = [];
  const versions: number[] = [];
  const onLost = (error: Error) => void lost.push(error.message);
  for await (const event of requestEvents(server.client, 7, { signal, onLost })) versions.push(event.version);
  expect(versions).toEqual([1]);
  expect(lost).toEqual([expect.stringMatching(/status 503$/), 'Away']);
});

describe('mutations', () => {
  test('give their data, with the token in the header', async () => {
    const server = await fakeServer((_, response) =>
      json(response, {
        data: {
          submitBundleRequest: { __typename: 'MutationSubmitBundleRequestSuccess', data: { number: 7 } },
        },
      }),
    );
    expect(await submitRequest(server.client, { repository: 'https://git.example/a' })).toBe(7);
    expect(server.requests[0]).toMatchObject({
      url: '/graphql',
      headers: { authorization: 'Bearer stw_secret' },
    });
  });

  test('throw the typed error of the union', async () => {
    const error = {
      __typename: 'InvalidInputError',
      code: 'invalid-input',
      message: 'No',
      hint: 'Yes',
      details: { a: 1 },
    };
    const server = await fakeServer((_, response) =>
      json(response, { data: { submitBundleRequest: error } }),
    );
    await expect(submitRequest(server.client, {})).rejects.toMatchObject({
      code: 'invalid-input',
      message: 'No',
      hint: 'Yes',
      details: { a: 1 },
    });
  });

  test.each([
    [401, 'unauthenticated'],
    [403, 'forbidden'],
    [404, 'not-found'],
    [500, 'server-error'],
    [502, 'server-unreachable'],
    [503, 'server-unreachable'],
  ])('status %i without a GraphQL answer is %s', async (status, code) => {
    const server = await fakeServer((_, response) => response.writeHead(status).end('<html>'));
    await expect(submitRequest(server.client, {})).rejects.toMatchObject({ code });
  });

  test('GraphQL errors keep their code', async () => {
    const server = await fakeServer((_, response) =>
      json(response, { errors: [{ message: 'Log in', extensions: { code: 'unauthenticated', hint: 'h' } }] }),
    );
    await expect(server.client.run('{ me { name } }')).rejects.toMatchObject({
      code: 'unauthenticated',
      message: 'Log in',
      hint: 'h',
    });
  });

  test('a server that is not there', async () => {
    const client = new StowageClient({ url: 'http://127.0.0.1:1', token: null });
    await expect(client.run('{ me { name } }')).rejects.toMatchObject({ code: 'server-unreachable' });
  });
});

describe('events', () => {
  async function collect(server: { client: StowageClient }): Promise<number[]> {
    const versions: number[] = [];
    for await (const event of requestEvents(server.client, 7, { signal })) versions.push(event.version);
    return versions;
  }

  test('a lost connection is resumed behind the last version, without loss or repeats', async () => {
    let connection = 0;
    const server = await fakeServer((_, response) => {
      connection += 1;
      if (connection === 1) eventStream(response, [eventOf(1), eventOf(2)], 'cut');
      else if (connection === 2) response.destroy();
      else eventStream(response, [eventOf(2), eventOf(3, 'STATE')], 'complete');
    });
    expect(await collect(server)).toEqual([1, 2, 3]);
    const cursors = server.requests.map(({ body }) => JSON.parse(body).variables.afterVersion);
    expect(cursors).toEqual([0, 2, 2]);
  });

  test('an error in the stream ends it', async () => {
    const server = await fakeServer((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const errors = [{ message: 'There is no request 7', extensions: { code: 'not-found' } }];
      response.end(`event: next\ndata: ${JSON.stringify({ errors })}\n\nevent: complete\n\n`);
    });
    await expect(collect(server)).rejects.toMatchObject({ code: 'not-found' });
  });

  test('a refusal before the stream', async () => {
    const server = await fakeServer((_, response) => response.writeHead(401).end());
    await expect(collect(server)).rejects.toMatchObject({ code: 'unauthenticated' });
  });
});

test('an upload is one multipart request in the order operations, map, file', async () => {
  const server = await fakeServer((_, response) =>
    json(response, { data: { uploadSource: { data: { number: 3 } } } }),
  );
  async function* content(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('first ');
    yield Buffer.from('second');
  }
  const number = await uploadSource(server.client, { fileName: 'a "b".tar', content: content(), signal });
  expect(number).toBe(3);
  const { body, headers } = server.requests[0]!;
  const boundary = /boundary=(.+)$/.exec(headers['content-type']!)![1];
  const parts = body.split(`--${boundary}`).map((part) => part.trim());
  expect(parts).toHaveLength(5);
  expect(parts[1]).toContain('name="operations"');
  expect(parts[2]).toMatch(/name="map"\r\n\r\n\{"0":\["variables\.file"\]\}$/);
  expect(parts[3]).toMatch(/filename="a--b-\.tar"[\s\S]*\r\n\r\nfirst second$/);
  expect(parts[4]).toBe('--');
});
