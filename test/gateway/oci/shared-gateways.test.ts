import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RegistryStack, sha256 } from '../../support/registry-stack.ts';

let stack: RegistryStack;
let urls: string[];

beforeAll(async () => {
  stack = await RegistryStack.start();
  urls = [stack.url, (await stack.addGateway()).url];
});
afterAll(() => stack.close());

test('what one gateway accepted the next request to another one sees', async () => {
  const name = 'apps/images/shared';
  const { text: first } = await stack.pushImage(name, 'base', 'base');
  for (let round = 0; round < 20; round += 1) {
    const [here, there] = round % 2 === 0 ? urls : urls.toReversed();
    const call = (method: string, path: string, url: string, body?: string) =>
      stack.call(method, `/v2/${name}/${path}`, {
        url,
        ...(body !== undefined && { body, headers: { 'content-type': JSON.parse(body).mediaType } }),
      });
    const text = JSON.stringify({ ...JSON.parse(first), annotations: { round: String(round) } });
    expect((await call('PUT', 'manifests/moving', here!, text)).status).toBe(201);
    expect((await call('GET', 'manifests/moving', there!)).body.toString()).toBe(text);
    expect((await call('GET', 'tags/list', there!)).json().tags).toEqual(['base', 'moving']);
    expect((await call('DELETE', `manifests/${sha256(text)}`, there!)).status).toBe(202);
    expect((await call('GET', 'manifests/moving', here!)).status).toBe(404);
    expect((await call('HEAD', `manifests/${sha256(text)}`, here!)).status).toBe(404);
    expect((await call('GET', 'tags/list', here!)).json().tags).toEqual(['base']);

    const bytes = randomBytes(500).toString('hex');
    const digest = sha256(bytes);
    const path = `/v2/${name}/blobs/uploads/?digest=${digest}`;
    expect((await stack.call('POST', path, { url: here!, body: bytes })).status).toBe(201);
    expect((await call('HEAD', `blobs/${digest}`, there!)).status).toBe(200);
    expect((await call('DELETE', `blobs/${digest}`, there!)).status).toBe(202);
    expect((await call('HEAD', `blobs/${digest}`, here!)).status).toBe(404);
  }
});

test('a token of one gateway is good at another one', async () => {
  const answer = await stack.call('GET', '/v2/auth', { url: urls[0]! });
  const headers = { authorization: `Bearer ${answer.json().token}` };
  expect((await stack.call('GET', '/v2/', { as: 'anonymous', headers, url: urls[1]! })).status).toBe(200);
});

test('clients that push the same image at once all succeed', async () => {
  const names = Array.from({ length: 8 }, (_, n) => `apps/images/same-${n % 4}`);
  const pushed = await Promise.all(names.map((name) => stack.pushImage(name, 'v1', 'the same')));
  expect(new Set(pushed.map((image) => image.digest)).size).toBe(1);
  for (const [index, name] of names.entries()) {
    const url = urls[index % 2]!;
    for (const path of [`manifests/v1`, `blobs/${pushed[0]!.layer}`, `blobs/${pushed[0]!.config}`]) {
      expect((await stack.call('GET', `/v2/${name}/${path}`, { url })).status).toBe(200);
    }
  }
});

test('a blob that is deleted while it is read is read to its end', async () => {
  const bytes = randomBytes(8_000_000);
  const digest = await stack.pushBlob('apps/images/reading', bytes);
  const response = await fetch(`${stack.url}/v2/apps/images/reading/blobs/${digest}`, {
    headers: stack.authorization('ada'),
  });
  expect((await stack.call('DELETE', `/v2/apps/images/reading/blobs/${digest}`)).status).toBe(202);
  expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
});

test('many pulls at once', async () => {
  const bytes = randomBytes(1_000_000);
  const digest = await stack.pushBlob('apps/images/pulled', bytes);
  const answers = await Promise.all(
    Array.from({ length: 128 }, (_, n) =>
      stack.call('GET', `/v2/apps/images/pulled/blobs/${digest}`, { url: urls[n % 2]! }),
    ),
  );
  expect(answers.every((answer) => answer.status === 200 && answer.body.equals(bytes))).toBe(true);
});
