import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, RegistryStack, sha256, sha512 } from '../../support/registry-stack.ts';

let stack: RegistryStack;
let other: string;
const NAME = 'apps/images/resumed';

beforeAll(async () => {
  stack = await RegistryStack.start();
  other = (await stack.addGateway()).url;
});
afterAll(() => stack.close());

async function begin(): Promise<string> {
  const answer = await stack.call('POST', `/v2/${NAME}/blobs/uploads/`);
  return answer.headers.get('location')!;
}

async function progress(location: string, url = stack.url): Promise<number> {
  const answer = await stack.call('GET', location, { url });
  expect(answer.status).toBe(204);
  const end = Number(/^0-(\d+)$/.exec(answer.headers.get('range')!)![1]);
  return end === 0 ? 0 : end + 1;
}

/** Sends the head of a PATCH and some of its bytes, and leaves the rest to come. */
async function startPatch(
  location: string,
  bytes: Uint8Array,
  head: Record<string, string | number>,
  url = stack.url,
): Promise<Socket> {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  const headers = { host, ...stack.authorization('ada'), ...head };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.write(`PATCH ${location} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  const isChunked = 'transfer-encoding' in head;
  if (isChunked) socket.write(`${bytes.length.toString(16)}\r\n`);
  await new Promise<void>((resolve) => socket.write(bytes, () => resolve()));
  return socket;
}

/** Sends the head of a PUT of everything from `first` on, and the bytes until `end`; then it tells `sent`. */
function startPut(location: string, bytes: Buffer, end: number, first: number): Socket {
  const { hostname, port, host } = new URL(stack.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  const { authorization } = stack.authorization('ada');
  const length = bytes.length - first;
  socket.write(
    `PUT ${location}?digest=${sha256(bytes)} HTTP/1.1\r\nhost: ${host}\r\nauthorization: ${authorization}\r\ncontent-length: ${length}\r\n\r\n`,
  );
  socket.write(bytes.subarray(first, end), () => socket.emit('sent'));
  return socket;
}

/** Until the gateway has taken something, and nothing more comes. */
async function settled(location: string, url = stack.url): Promise<number> {
  for (let last = -1; ; await sleep(50)) {
    const size = await progress(location, url);
    if (size > 0 && size === last) return size;
    last = size;
  }
}

const patch = (location: string, body: Uint8Array, first: number, url = stack.url): Promise<Answer> =>
  stack.call('PATCH', location, {
    url,
    body,
    headers: { 'content-range': `${first}-${first + body.length - 1}` },
  });

/** Sends what lacks, from where the gateway says: whether the bytes before a break have come is not known before. */
async function goOn(
  location: string,
  bytes: Uint8Array,
  onSize: (size: number) => void = () => undefined,
): Promise<void> {
  for (;;) {
    const size = await progress(location);
    onSize(size);
    // A little first: who is refused in the middle of much need not get the answer.
    const end = Math.min(size + 10_000, bytes.length);
    const { status } = await patch(location, bytes.subarray(size, end), size);
    if (status === 202) {
      if (end < bytes.length) expect((await patch(location, bytes.subarray(end), end)).status).toBe(202);
      return;
    }
    // More has come meanwhile.
    expect(status).toBe(416);
  }
}

const finish = (
  location: string,
  bytes: Uint8Array,
  url = stack.url,
  digest = sha256(bytes),
): Promise<Answer> => stack.call('PUT', `${location}?digest=${digest}`, { url });

async function expectBlob(bytes: Buffer): Promise<void> {
  const answer = await stack.call('GET', `/v2/${NAME}/blobs/${sha256(bytes)}`);
  expect(answer.status).toBe(200);
  expect(answer.body.equals(bytes)).toBe(true);
}

test.each<[string, (length: number) => Record<string, string | number>]>([
  ['with a range', (length) => ({ 'content-length': length, 'content-range': `0-${length - 1}` })],
  ['of known length', (length) => ({ 'content-length': length })],
  ['streamed', () => ({ 'transfer-encoding': 'chunked' })],
])('a connection that breaks inside a PATCH %s loses nothing that has come', async (_case, head) => {
  const bytes = randomBytes(3_000_000);
  const location = await begin();
  const socket = await startPatch(location, bytes.subarray(0, 1_500_000), head(bytes.length));
  await expect.poll(() => progress(location)).toBeGreaterThan(1_000_000);
  socket.destroy();
  const size = await settled(location);
  expect(size).toBeGreaterThan(1_000_000);
  expect(size).toBeLessThanOrEqual(1_500_000);
  const rest = await patch(location, bytes.subarray(size), size);
  expect([rest.status, rest.headers.get('range')]).toEqual([202, `0-${bytes.length - 1}`]);
  expect((await finish(location, bytes)).status).toBe(201);
  await expectBlob(bytes);
});

test('a connection that breaks five times', async () => {
  const bytes = randomBytes(20_000_000);
  const location = await begin();
  for (let cut = 1; cut <= 5; cut += 1) {
    const from = await progress(location);
    const to = Math.min(bytes.length, from + 3_000_000 + cut * 1_001);
    const head = { 'content-length': bytes.length - from, 'content-range': `${from}-${bytes.length - 1}` };
    const socket = await startPatch(location, bytes.subarray(from, to), head);
    socket.destroy();
  }
  await goOn(location, bytes);
  expect((await finish(location, bytes)).status).toBe(201);
  await expectBlob(bytes);
});

test('chunks may go to any gateway', async () => {
  const bytes = randomBytes(4_000_000);
  const location = await begin();
  for (const [index, url] of [stack.url, other, stack.url, other].entries()) {
    const part = bytes.subarray(index * 1_000_000, (index + 1) * 1_000_000);
    const answer = await patch(location, part, index * 1_000_000, url);
    expect(answer.status).toBe(202);
    expect(await progress(location, index % 2 === 0 ? other : stack.url)).toBe((index + 1) * 1_000_000);
  }
  expect((await finish(location, bytes)).status).toBe(201);
  await expectBlob(bytes);
});

test('by sha512 at another gateway', async () => {
  const bytes = randomBytes(1_000_000);
  const location = await begin();
  await patch(location, bytes, 0);
  expect((await finish(location, bytes, other, sha512(bytes))).status).toBe(201);
  await expectBlob(bytes);
});

test.each(['the same gateway', 'another gateway'])(
  'a request whose client is silent makes way for a new one at %s',
  async (where) => {
    const bytes = randomBytes(2_000_000);
    const location = await begin();
    const url = where === 'another gateway' ? other : stack.url;
    const silent = await startPatch(location, bytes.subarray(0, 900_000), { 'content-length': bytes.length });
    const size = await settled(location);
    expect((await patch(location, bytes.subarray(size), size, url)).status).toBe(202);
    expect((await finish(location, bytes, url)).status).toBe(201);
    await expectBlob(bytes);
    silent.destroy();
  },
);

describe('what a client was told is where it goes on, whatever still comes from a request that began before', () => {
  const session = async (location: string) => {
    const [row] = await stack.database.sql.query<{ size: number; isHeld: boolean }>(
      'select size, holder is not null as "isHeld" from upload_sessions where id = $1',
      [location.split('/').at(-1)],
    );
    return row!;
  };

  /** A request of which the client is told when a part has come; then more comes. Returns what it was told. */
  async function toldTooEarly(location: string, bytes: Uint8Array): Promise<[told: number, socket: Socket]> {
    const socket = await startPatch(location, bytes.subarray(0, 600_000), { 'content-length': bytes.length });
    const told = await settled(location);
    socket.write(bytes.subarray(600_000, 1_900_000));
    const written = async () => (await session(location)).size;
    await expect.poll(written, { timeout: 10_000 }).toBeGreaterThan(1_200_000);
    return [told, socket];
  }

  test.each([
    ['the same gateway', 'with a range', true],
    ['the same gateway', 'without', false],
    ['another gateway', 'with a range', true],
    ['another gateway', 'without', false],
  ])('at %s, %s', async (where, _how, isRanged) => {
    const bytes = randomBytes(2_000_000);
    const location = await begin();
    const url = where === 'another gateway' ? other : stack.url;
    const [told, socket] = await toldTooEarly(location, bytes);
    const headers = isRanged ? { 'content-range': `${told}-${bytes.length - 1}` } : {};
    const answer = await stack.call('PATCH', location, { url, body: bytes.subarray(told), headers });
    expect([answer.status, answer.headers.get('range')]).toEqual([202, `0-${bytes.length - 1}`]);
    socket.destroy();
    expect((await finish(location, bytes, url)).status).toBe(201);
    await expectBlob(bytes);
  });

  test('after it broke', async () => {
    const bytes = randomBytes(2_000_000);
    const location = await begin();
    const [told, socket] = await toldTooEarly(location, bytes);
    socket.destroy();
    await expect.poll(() => session(location)).toEqual({ size: told, isHeld: false });
    expect((await finish(location, bytes.subarray(0, told), other)).status).toBe(201);
    await expectBlob(bytes.subarray(0, told));
  });

  /** A request that breaks when some of these bytes have come, of which no client is told. Returns how many. */
  async function breakUntold(location: string, bytes: Uint8Array): Promise<number> {
    for (;;) {
      const socket = await startPatch(location, bytes, { 'content-length': bytes.length + 1 });
      await expect.poll(() => session(location), { timeout: 10_000 }).toMatchObject({ isHeld: true });
      socket.destroy();
      await expect.poll(() => session(location), { timeout: 10_000 }).toMatchObject({ isHeld: false });
      const { size } = await session(location);
      if (size > 0) return size;
    }
  }

  test.each([
    ['a PATCH', 600_000],
    ['a PUT', 600_000],
    ['a small PUT', 60_000],
  ])('also when its request came later, and %s does not say where it goes on', async (how, length) => {
    const bytes = randomBytes(length);
    const location = await begin();
    expect(await progress(location)).toBe(0);
    await breakUntold(location, randomBytes(50_000));
    const path = `${location}?digest=${sha256(bytes)}`;
    if (how === 'a PATCH') {
      const answer = await stack.call('PATCH', location, { body: bytes, url: other });
      expect([answer.status, answer.headers.get('range')]).toEqual([202, `0-${length - 1}`]);
      expect((await finish(location, bytes)).status).toBe(201);
    } else {
      expect((await stack.call('PUT', path, { body: bytes })).status).toBe(201);
    }
    await expectBlob(bytes);
  });

  test('also by a 416', async () => {
    const bytes = randomBytes(600_000);
    const location = await begin();
    const size = await breakUntold(location, bytes.subarray(0, 50_000));
    const refused = await patch(location, bytes, 0, other);
    expect(refused.status).toBe(416);
    const answer = await stack.call('PATCH', location, { body: bytes.subarray(size) });
    expect([answer.status, answer.headers.get('range')]).toEqual([202, `0-${bytes.length - 1}`]);
    expect((await finish(location, bytes)).status).toBe(201);
    await expectBlob(bytes);
  });

  test('and other bytes in their place are not taken for them', async () => {
    const bytes = randomBytes(2_000_000);
    const location = await begin();
    const [told, socket] = await toldTooEarly(location, bytes);
    socket.destroy();
    await expect.poll(() => session(location)).toEqual({ size: told, isHeld: false });
    const others = Buffer.concat([bytes.subarray(0, told), randomBytes(1_900_000 - told)]);
    expect((await patch(location, others.subarray(told), told, other)).status).toBe(202);
    expect((await finish(location, bytes.subarray(0, 1_900_000))).codes()).toEqual(['DIGEST_INVALID']);
  });
});

test.each([0, 400_000])(
  'a small PUT whose client is silent, behind %i bytes, makes way as well',
  async (before) => {
    const bytes = randomBytes(before + 10_000);
    const location = await begin();
    if (before > 0) await patch(location, bytes.subarray(0, before), 0);
    const silent = startPut(location, bytes, before + 1, before);
    const told = once(silent, 'data');
    await once(silent, 'connect');
    const answer = await stack.call('PUT', `${location}?digest=${sha256(bytes)}`, {
      url: other,
      body: bytes.subarray(before),
    });
    expect(answer.status).toBe(201);
    silent.write(bytes.subarray(before + 1));
    const [head] = await told;
    expect(String(head)).toMatch(/^HTTP\/1\.1 404 [\s\S]*BLOB_UPLOAD_UNKNOWN/);
    await expectBlob(bytes);
  },
);

test('a small PUT that breaks behind larger chunks can be gone on from', async () => {
  const bytes = randomBytes(410_000);
  const location = await begin();
  await patch(location, bytes.subarray(0, 400_000), 0);
  const socket = startPut(location, bytes, 405_000, 400_000);
  await once(socket, 'sent');
  socket.destroy();
  await goOn(location, bytes, (size) => expect([400_000, 405_000]).toContain(size));
  expect((await finish(location, bytes)).status).toBe(201);
  await expectBlob(bytes);
});

test('a small PUT that breaks before anything else has come changes nothing', async () => {
  const bytes = randomBytes(10_000);
  const location = await begin();
  const socket = startPut(location, bytes, 5_000, 0);
  await once(socket, 'sent');
  socket.destroy();
  expect(await progress(location)).toBe(0);
  expect((await stack.call('GET', `/v2/${NAME}/blobs/${sha256(bytes)}`)).status).toBe(404);
  const answer = await stack.call('PUT', `${location}?digest=${sha256(bytes)}`, { body: bytes });
  expect(answer.status).toBe(201);
  await expectBlob(bytes);
});

test('a small PUT ends an upload once, whoever else does', async () => {
  const bytes = randomBytes(10_000);
  const location = await begin();
  const path = `${location}?digest=${sha256(bytes)}`;
  const puts = [stack.url, other, stack.url, other].map((url) =>
    stack.call('PUT', path, { url, body: bytes }),
  );
  const statuses = (await Promise.all(puts)).map((answer) => answer.status);
  expect(statuses.toSorted()).toEqual([201, 404, 404, 404]);
  expect((await stack.call('GET', location)).status).toBe(404);
  await expectBlob(bytes);
});

test('nothing stays staged of an upload that began with nothing', async () => {
  const bytes = randomBytes(10_000);
  const location = await begin();
  expect((await stack.call('PATCH', location)).status).toBe(202);
  const answer = await stack.call('PUT', `${location}?digest=${sha256(bytes)}`, { body: bytes });
  expect(answer.status).toBe(201);
  await expectBlob(bytes);
  const id = location.split('/').at(-1)!;
  const staged = await readdir(join(stack.blobs.root, 'uploads'));
  expect(staged.filter((name) => name.startsWith(id))).toEqual([]);
});

test('an upload can be cancelled while a request is silent', async () => {
  const location = await begin();
  const silent = await startPatch(location, randomBytes(300_000), { 'content-length': 2_000_000 });
  await settled(location);
  expect((await stack.call('DELETE', location)).status).toBe(204);
  expect((await stack.call('GET', location)).status).toBe(404);
  silent.destroy();
});

test('a wrong digest after a break still leaves nothing', async () => {
  const bytes = randomBytes(500_000);
  const location = await begin();
  const socket = await startPatch(location, bytes.subarray(0, 400_000), { 'content-length': bytes.length });
  await settled(location);
  socket.destroy();
  const size = await settled(location);
  await patch(location, randomBytes(bytes.length - size), size);
  const answer = await finish(location, bytes);
  expect([answer.status, answer.codes()]).toEqual([400, ['DIGEST_INVALID']]);
  expect((await stack.call('GET', location)).codes()).toEqual(['BLOB_UPLOAD_UNKNOWN']);
});

test('a PUT that breaks can be repeated', async () => {
  const bytes = randomBytes(1_000_000);
  const location = await begin();
  await patch(location, bytes.subarray(0, 400_000), 0);
  const { hostname, port, host } = new URL(stack.url);
  const socket = connect(Number(port), hostname);
  const { authorization } = stack.authorization('ada');
  const head = `PUT ${location}?digest=${sha256(bytes)} HTTP/1.1\r\nhost: ${host}\r\nauthorization: ${authorization}\r\ncontent-length: 600000\r\n\r\n`;
  await new Promise<void>((resolve) => {
    socket.write(head);
    socket.write(bytes.subarray(400_000, 700_000), () => resolve());
  });
  socket.destroy();
  const size = await settled(location);
  const answer = await stack.call('PUT', `${location}?digest=${sha256(bytes)}`, {
    body: bytes.subarray(size),
  });
  expect(answer.status).toBe(201);
  await expectBlob(bytes);
});
