import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RegistryStack, sha256 } from '../../support/registry-stack.ts';
import { StowageCommand } from '../../support/stowage-command.ts';

let stack: RegistryStack;
const NAME = 'apps/images/killed';

beforeAll(async () => {
  stack = await RegistryStack.start();
});
afterAll(() => stack.close());

/** A gateway process of its own on the database and data directory of the others. */
async function startProcess(): Promise<{ command: StowageCommand; url: string }> {
  const env = { STOWAGE_DATA_DIR: stack.dataDir, STOWAGE_PORT: '0', DATABASE_URL: stack.database.url };
  const command = new StowageCommand(['gateway'], { env });
  const [, url] = await command.until(/ready on (http:\S+)/);
  return { command, url: url! };
}

/** A PATCH that sends some bytes and then says nothing more. */
function hangingPatch(url: string, location: string, bytes: Uint8Array, length: number) {
  const sent = request(new URL(location, url), {
    method: 'PATCH',
    headers: { ...stack.authorization('ada'), 'content-length': length },
  });
  sent.on('error', () => undefined);
  sent.write(bytes);
  return sent;
}

const received = async (location: string, url = stack.url): Promise<number> => {
  const answer = await stack.call('GET', location, { url });
  expect(answer.status).toBe(204);
  return Number(answer.headers.get('range')!.slice(2)) + 1;
};

test.each(['SIGKILL', 'SIGTERM'] as const)(
  '%s in the middle of a PATCH: another gateway goes on',
  async (signal) => {
    const bytes = randomBytes(3_000_000);
    const { command, url } = await startProcess();
    const begun = await stack.call('POST', `/v2/${NAME}/blobs/uploads/`, { url });
    const location = begun.headers.get('location')!;
    const first = bytes.subarray(0, 1_000_000);
    expect((await stack.call('PATCH', location, { url, body: first })).status).toBe(202);
    const hanging = hangingPatch(url, location, bytes.subarray(1_000_000, 2_500_000), 2_000_000);
    while ((await received(location, url)) < 2_400_000) await sleep(20);
    await command.end(signal);
    hanging.destroy();

    // What was acknowledged is there in any case.
    let offset = await received(location);
    expect(offset).toBeGreaterThanOrEqual(signal === 'SIGTERM' ? 2_400_000 : 1_000_000);
    const headers = { 'content-range': `${offset}-${bytes.length - 1}` };
    let answer = await stack.call('PATCH', location, { body: bytes.subarray(offset), headers });
    while (answer.status === 429 || answer.status === 416) {
      offset = await received(location);
      const range = { 'content-range': `${offset}-${bytes.length - 1}` };
      answer = await stack.call('PATCH', location, { body: bytes.subarray(offset), headers: range });
    }
    expect(answer.status).toBe(202);
    const done = await stack.call('PUT', `${location}?digest=${sha256(bytes)}`);
    expect(done.status).toBe(201);
    const read = await stack.call('GET', `/v2/${NAME}/blobs/${sha256(bytes)}`);
    expect(read.body.equals(bytes)).toBe(true);
    expect(await readdir(join(stack.dataDir, 'blobs/uploads'))).toEqual([]);
  },
);

test('SIGKILL in the middle of a PUT leaves nothing visible', async () => {
  const bytes = randomBytes(3_000_000);
  const digest = sha256(bytes);
  const { command, url } = await startProcess();
  const begun = await stack.call('POST', `/v2/${NAME}/blobs/uploads/`, { url });
  const path = `${begun.headers.get('location')}?digest=${digest}`;
  const sent = request(new URL(path, url), {
    method: 'PUT',
    headers: { ...stack.authorization('ada'), 'content-length': bytes.length },
  });
  sent.on('error', () => undefined);
  await new Promise((resolve) => sent.write(bytes.subarray(0, 2_900_000), resolve));
  await command.end('SIGKILL');
  expect((await stack.call('GET', `/v2/${NAME}/blobs/${digest}`)).status).toBe(404);
  expect(await stack.blobs.size(digest as `sha256:${string}`)).toBe(null);
  expect(await stack.pushBlob(NAME, bytes)).toBe(digest);
});
