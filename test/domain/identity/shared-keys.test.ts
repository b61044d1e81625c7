import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { Database } from '../../../src/domain/database/database.ts';
import { forgetKey, listKeys, rotateKey } from '../../../src/domain/identity/shared-keys.ts';
import { SignedTokens } from '../../../src/domain/identity/signed-tokens.ts';
import { testDatabase } from '../../support/database.ts';

let database: Database;

beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  await database.sql.query('delete from shared_secrets');
});

/** As another process has it, which knows what the database says now. */
const anotherProcess = () => new SignedTokens<{ of: string }>(database, 'session-tokens');

async function issued(of: string, signer = anotherProcess()): Promise<string> {
  return (await signer.issue({ of }, 3600)).token;
}

/** All keys were made so many seconds earlier. */
const age = (seconds: number) =>
  database.sql.query('update shared_secrets set created_at = created_at - make_interval(secs => $1)', [
    seconds,
  ]);

const keyIds = async () => (await listKeys(database)).map(({ id }) => id);

test('several processes that begin at once have one key', async () => {
  const tokens = await Promise.all(['a', 'b', 'c', 'd'].map((of) => issued(of)));
  expect(await keyIds()).toHaveLength(1);
  for (const token of tokens) expect(await anotherProcess().read(token)).not.toBeNull();
});

test('after a rotation all processes go on, whichever keys they know', async () => {
  const running = anotherProcess();
  const before = await issued('before', running);
  const [old] = await keyIds();
  await age(60);
  const { id } = await rotateKey(database, 'session-tokens');
  expect(await listKeys(database)).toEqual([
    { id, purpose: 'session-tokens', createdAt: expect.any(Date), retiredAt: null },
    { id: old, purpose: 'session-tokens', createdAt: expect.any(Date), retiredAt: expect.any(Date) },
  ]);

  // One that knows the new key already signs so that one that does not know it yet can verify.
  const early = await issued('early');
  expect(await running.read(early)).toMatchObject({ of: 'early' });
  expect(await anotherProcess().read(before)).toMatchObject({ of: 'before' });

  // When all know it, it signs; what the old one has signed stays good.
  await age(60);
  const late = await issued('late');
  await forgetKey(database, old!);
  expect(await anotherProcess().read(late)).toMatchObject({ of: 'late' });
  for (const token of [before, early]) expect(await anotherProcess().read(token)).toBeNull();
});

test('a running process notices by itself', async () => {
  const clock = vi.spyOn(performance, 'now');
  try {
    clock.mockReturnValue(1_000);
    const running = anotherProcess();
    const before = await issued('before', running);
    await rotateKey(database, 'session-tokens', { forgetting: true });
    const after = await issued('after');
    expect(await running.read(before)).not.toBeNull();
    clock.mockReturnValue(7_000);
    expect(await running.read(before)).toBeNull();
    expect(await running.read(after)).toMatchObject({ of: 'after' });
  } finally {
    clock.mockRestore();
  }
});

test('without the database it goes on with what it knows', async () => {
  const clock = vi.spyOn(performance, 'now');
  try {
    clock.mockReturnValue(1_000);
    const running = anotherProcess();
    const token = await issued('somebody', running);
    await database.sql.query('alter table shared_secrets rename to away');
    clock.mockReturnValue(7_000);
    expect(await running.read(token)).toMatchObject({ of: 'somebody' });
    await expect(anotherProcess().read(token)).rejects.toThrow('shared_secrets');
  } finally {
    clock.mockRestore();
    await database.sql.query('alter table away rename to shared_secrets');
  }
});

test('the key that signs is not forgotten, and not every word is a purpose', async () => {
  await issued('somebody');
  const [id] = await keyIds();
  await expect(forgetKey(database, id!)).rejects.toThrow(`There is no key "${id}" that has been replaced`);
  await expect(rotateKey(database, 'nonsense')).rejects.toThrow('registry-tokens, session-tokens are');
  expect(await keyIds()).toEqual([id]);
});
