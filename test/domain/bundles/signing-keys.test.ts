import { generateKeyPairSync } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { verifyEnvelope } from '../../../src/domain/bundles/signing.ts';
import {
  openSigner,
  ownKeys,
  publishedKeys,
  publishOwnKey,
  rotateSigningKey,
} from '../../../src/domain/bundles/signing-keys.ts';
import type { Database } from '../../../src/domain/database/database.ts';
import { testDatabase } from '../../support/database.ts';

const directory = mkdtempSync(join(tmpdir(), 'stowage-signing-keys-'));
let database: Database;

beforeAll(async () => {
  database = await testDatabase();
});
afterAll(async () => {
  await database?.close();
  rmSync(directory, { recursive: true, force: true });
});

const unusable: unknown[] = [];
const keysOf = (settings: Parameters<typeof publishedKeys>[1]) =>
  publishedKeys(database, settings, (error) => unusable.push(error));
const statement = { _type: 'https://in-toto.io/Statement/v1' };

test('a new key signs from now on, and what the old one has signed is still verified', async () => {
  const settings = { dataDir: join(directory, 'own'), signingKey: null };
  const old = await openSigner(database, settings);
  const signed = old.sign(statement);
  const rotated = await rotateSigningKey(settings);
  const young = await openSigner(database, settings);
  expect(young.keyId).toBe(rotated.keyId);
  expect(young.keyId).not.toBe(old.keyId);
  expect(statSync(join(settings.dataDir, 'keys/provenance.pem')).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(settings.dataDir, 'keys'))).toEqual(['provenance.pem', 'retired']);
  expect(readFileSync(join(settings.dataDir, `keys/retired/${old.keyId}.pem`), 'utf8')).toBe(old.publicKey);
  for (const keys of [await ownKeys(settings), await keysOf(settings)]) {
    expect(keys.map(({ keyId }) => keyId)).toEqual([young.keyId, old.keyId]);
    expect(verifyEnvelope(signed, keys[1]!.publicKey)).toEqual(statement);
    expect(verifyEnvelope(young.sign(statement), keys[0]!.publicKey)).toEqual(statement);
  }
});

test('keys of all machines are published, the own one first', async () => {
  const here = { dataDir: join(directory, 'here'), signingKey: null };
  const there = { dataDir: join(directory, 'there'), signingKey: null };
  const ids = [(await openSigner(database, here)).keyId, (await openSigner(database, there)).keyId];
  const published = (await keysOf(here)).map(({ keyId }) => keyId);
  expect(published[0]).toBe(ids[0]);
  expect(published).toEqual(expect.arrayContaining(ids));
  expect(new Set(published).size).toBe(published.length);
});

test('a given key is replaced in its file', async () => {
  const signingKey = join(directory, 'given.pem');
  const settings = { dataDir: join(directory, 'given'), signingKey };
  const write = () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    writeFileSync(signingKey, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  };
  write();
  const old = await openSigner(database, settings);
  await expect(rotateSigningKey(settings)).rejects.toThrow('The key is given: STOWAGE_SIGNING_KEY is');
  write();
  const young = await openSigner(database, settings);
  expect(young.keyId).not.toBe(old.keyId);
  const published = (await keysOf(settings)).map(({ keyId }) => keyId);
  expect(published.slice(0, 2)).toEqual([young.keyId, old.keyId]);
});

test('what was signed before a key was given is still verified', async () => {
  const dataDir = join(directory, 'before');
  const { keyId } = await openSigner(database, { dataDir, signingKey: null });
  const signingKey = join(directory, 'after.pem');
  const { privateKey } = generateKeyPairSync('ed25519');
  writeFileSync(signingKey, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const given = await openSigner(database, { dataDir, signingKey });
  const idsOf = async (path: string | null) =>
    (await ownKeys({ dataDir, signingKey: path })).map((key) => key.keyId);
  expect(await idsOf(signingKey)).toEqual([given.keyId, keyId]);
  expect(await idsOf(join(dataDir, 'keys/provenance.pem'))).toEqual([keyId]);
});

test('two rotations at once end with one of them', async () => {
  const settings = { dataDir: join(directory, 'twice'), signingKey: null };
  await openSigner(database, settings);
  const done = await Promise.all([rotateSigningKey(settings), rotateSigningKey(settings)]);
  const { keyId } = await openSigner(database, settings);
  expect(done.map((one) => one.keyId)).toContain(keyId);
  expect(readdirSync(join(settings.dataDir, 'keys'))).toEqual(['provenance.pem', 'retired']);
});

test('who asks for the keys makes none and writes nothing', async () => {
  const dataDir = join(directory, 'untouched');
  const other = (await openSigner(database, { dataDir: join(directory, 'other'), signingKey: null })).keyId;
  expect((await keysOf({ dataDir, signingKey: null })).map(({ keyId }) => keyId)).toContain(other);
  expect(existsSync(dataDir)).toBe(false);
  await publishOwnKey(database, { dataDir, signingKey: null });
  expect(existsSync(dataDir)).toBe(false);

  const { privateKey } = generateKeyPairSync('ed25519');
  const signingKey = join(directory, 'never-used.pem');
  writeFileSync(signingKey, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const count = async () =>
    (
      await database.sql.query<{ count: number }>('select count(*)::integer as count from provenance_keys')
    )[0]!.count;
  const before = await count();
  const [own] = await keysOf({ dataDir, signingKey });
  expect(await count()).toBe(before);
  await publishOwnKey(database, { dataDir, signingKey });
  expect(await count()).toBe(before + 1);
  expect((await keysOf({ dataDir, signingKey })).filter(({ keyId }) => keyId === own!.keyId)).toEqual([own]);
});

const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
}) as string;
const half = generateKeyPairSync('ed25519')
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .slice(0, 60) as string;

test.each([
  ['half a key', half, 'has no private key in PEM form (without a passphrase)'],
  ['nothing', '', 'has no private key in PEM form (without a passphrase)'],
  ['another kind of key', rsa, 'has a key of rsa'],
])(
  'a file with %s: said where it is when a process starts, and only that when it runs',
  async (_title, pem, found) => {
    const dataDir = mkdtempSync(join(directory, 'damaged-'));
    const made = join(dataDir, 'keys/provenance.pem');
    const given = join(dataDir, 'given.pem');
    mkdirSync(join(dataDir, 'keys'));
    for (const [path, signingKey] of [
      [made, null],
      [given, given],
    ] as const) {
      writeFileSync(path, pem);
      const settings = { dataDir, signingKey };
      await expect(publishOwnKey(database, settings)).rejects.toMatchObject({
        code: 'invalid-input',
        message: `${path} must be an Ed25519 private key, and ${found}`,
      });
      await expect(openSigner(database, settings)).rejects.toMatchObject({
        code: 'signing-key-unusable',
        message: 'The key that signs provenance cannot be read',
        hint: '"stowage doctor" on the machine of the worker says why.',
        details: {},
        retryable: true,
      });
      unusable.length = 0;
      const others = await keysOf(settings);
      expect(others.length).toBeGreaterThan(0);
      expect(unusable).toMatchObject([{ code: 'invalid-input' }]);
      rmSync(path);
    }
  },
);
