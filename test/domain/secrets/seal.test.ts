import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readSettings } from '../../../src/domain/config.ts';
import { Seal } from '../../../src/domain/secrets/seal.ts';

const directory = mkdtempSync(join(tmpdir(), 'stowage-seal-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const newKey = (): string => randomBytes(32).toString('base64');

async function sealOf(...keys: string[]): Promise<Seal> {
  const secretsKey = join(directory, randomBytes(4).toString('hex'));
  writeFileSync(secretsKey, `${keys.join('\n')}\n`);
  return await Seal.open({ secretsKey });
}

test.each([
  [
    'https://ada:secret@git.example/a.git',
    /^https:\/\/ada:sealed-1-[0-9a-f]{8}-[\w-]+@git\.example\/a\.git$/,
  ],
  ['https://secret@git.example/a.git', /^https:\/\/sealed-1-[0-9a-f]{8}-[\w-]+@git\.example\/a\.git$/],
  ['git+https://:secret@git.example/a.git', /^git\+https:\/\/:sealed-1-[0-9a-f]{8}-[\w-]+@git\.example/],
  [
    'https://ada@mail.example:secret@git.example/a.git',
    /^https:\/\/ada@mail\.example:sealed-1-[0-9a-f]{8}-[\w-]+@git\.example\/a\.git$/,
  ],
  ['https://ada@secret@git.example:80/a.git', /^https:\/\/sealed-1-[0-9a-f]{8}-[\w-]+@git\.example:80/],
  ['ssh://git:secret@git.example/a.git', /^ssh:\/\/git:sealed-1-[0-9a-f]{8}-[\w-]+@git\.example\/a\.git$/],
])('credentials of a URL are sealed in their place: %s', async (url, pattern) => {
  const seal = await sealOf(newKey());
  const sealed = seal.sealUrl(url);
  expect(sealed).toMatch(pattern);
  expect(seal.sealUrl(url)).toBe(sealed);
  expect(seal.unsealUrl(sealed)).toBe(url);
});

test('what somebody sends as if it were sealed is not opened for them', async () => {
  const seal = await sealOf(newKey());
  const [, stolen] = /:([^:]+)@/.exec(seal.sealUrl('https://ada:secret@git.example/a.git'))!;
  const sent = `https://ada:${stolen}@elsewhere.example/a.git`;
  expect(seal.unsealUrl(seal.sealUrl(sent))).toBe(sent);
});

test.each([
  'https://git.example/a.git',
  'https://git.example:8080/a@b.git',
  'https://git.example/a@b.git',
  'https://git.example?x=//a:b@c',
  'ssh://git@git.example/a.git',
  'git@git.example:a.git',
  '/srv/git/a:b@c.git',
  '',
])('what has no credentials stays: %s', async (url) => {
  const seal = await sealOf(newKey());
  expect(seal.sealUrl(url)).toBe(url);
  expect(seal.unsealUrl(url)).toBe(url);
});

test('secrets are sealed so that the same ones look different', async () => {
  const seal = await sealOf(newKey());
  const secrets = { token: 'secret', other: 'secret', empty: '', ä: '\u{1F511}' };
  const sealed = seal.sealAll(secrets);
  expect(new Set(Object.values(sealed)).size).toBe(4);
  expect(JSON.stringify(sealed)).not.toContain('secret"');
  expect(seal.unsealAll(sealed)).toEqual(secrets);
});

test('a new key seals, old ones still open', async () => {
  const [old, young] = [newKey(), newKey()];
  const before = (await sealOf(old)).sealAll({ a: 'x' });
  const both = await sealOf(young, old);
  expect(both.unsealAll(before)).toEqual({ a: 'x' });
  const after = both.sealAll({ a: 'x' });
  expect((await sealOf(young)).unsealAll(after)).toEqual({ a: 'x' });
  const onlyOld = await sealOf(old);
  expect(() => onlyOld.unsealAll(after)).toThrow(expect.objectContaining({ code: 'secrets-key-missing' }));
});

test('without a key nothing is sealed, and what is sealed cannot be opened', async () => {
  const none = await Seal.open({ secretsKey: null });
  expect(none.sealAll({ a: 'x' })).toEqual({ a: 'x' });
  expect(none.sealUrl('https://a:b@c/')).toBe('https://a:b@c/');
  const sealed = (await sealOf(newKey())).sealUrl('https://a:b@c/');
  expect(() => none.unsealUrl(sealed)).toThrow(expect.objectContaining({ code: 'secrets-key-missing' }));
});

test('what was changed is not opened', async () => {
  const seal = await sealOf(newKey());
  const { a } = seal.sealAll({ a: 'secret' });
  const changed = `${a!.slice(0, -3)}${a!.endsWith('AAA') ? 'BBB' : 'AAA'}`;
  expect(() => seal.unsealAll({ a: changed })).toThrow('unable to authenticate data');
});

test.each(['', 'short', `${newKey()}\nshort`])('a file without right keys is refused: %j', (text) => {
  const path = join(directory, 'wrong');
  writeFileSync(path, text);
  expect(() => readSettings({ STOWAGE_SECRETS_KEY: path })).toThrow(
    `STOWAGE_SECRETS_KEY (${path}) must have keys of 32 bytes in base64, a line each`,
  );
});
