import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { verifyEnvelope } from '../../../src/domain/bundles/signing.ts';
import {
  openSigner,
  ownKeys,
  publishedKeys,
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
  for (const keys of [await ownKeys(settings), await publishedKeys(database, settings)]) {
    expect(keys.map(({ keyId }) => keyId)).toEqual([young.keyId, old.keyId]);
    expect(verifyEnvelope(signed, keys[1]!.publicKey)).toEqual(statement);
    expect(verifyEnvelope(young.sign(statement), keys[0]!.publicKey)).toEqual(statement);
  }
});

test('keys of all machines are published, the own one first', async () => {
  const here = { dataDir: join(directory, 'here'), signingKey: null };
  const there = { dataDir: join(directory, 'there'), signingKey: null };
  const ids = [(await openSigner(database, here)).keyId, (await openSigner(database, there)).keyId];
  const published = (await publishedKeys(database, here)).map(({ keyId }) => keyId);
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
  const published = (await publishedKeys(database, settings)).map(({ keyId }) => keyId);
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
