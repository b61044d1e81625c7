import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from '../config.ts';
import type { Database } from '../database/database.ts';
import {
  listProvenanceKeys,
  type ProvenanceKey,
  rememberProvenanceKey,
} from '../database/sql/provenance-keys.ts';
import { InvalidInputError } from '../errors.ts';
import { publicKeyOf, readPublicKey, Signer } from './signing.ts';

type KeySettings = Pick<Settings, 'dataDir' | 'signingKey'>;

/** The key that signs now: another one may have taken its place since the last time. Its public half is remembered. */
export async function openSigner(
  { sql }: Pick<Database, 'sql'>,
  { dataDir, signingKey }: KeySettings,
): Promise<Signer> {
  const signer = await Signer.open(dataDir, signingKey);
  await rememberProvenanceKey(sql, signer);
  return signer;
}

/** First the one that signs now, then all others that have ever signed, on whichever machine. */
export async function publishedKeys(
  database: Pick<Database, 'sql'>,
  settings: KeySettings,
): Promise<ProvenanceKey[]> {
  const { keyId, publicKey } = await openSigner(database, settings);
  const others = await listProvenanceKeys(database.sql);
  return [{ keyId, publicKey }, ...others.filter((one) => one.keyId !== keyId)];
}

/**
 * What can be told without the database: the key that signs, if there is one yet, and those of this data directory that did
 * before it was made or given.
 */
export async function ownKeys({ dataDir, signingKey }: KeySettings): Promise<ProvenanceKey[]> {
  const signing = await publicKeyOf(dataDir, signingKey);
  const made = await publicKeyOf(dataDir);
  const names = await readdir(retiredIn(dataDir)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const retired = names.filter((name) => name.endsWith('.pem')).sort();
  const pems = await Promise.all(retired.map((name) => readFile(join(retiredIn(dataDir), name), 'utf8')));
  const keys = [signing, made, ...pems].filter((pem) => pem !== null).map(readPublicKey);
  return [...new Map(keys.map((key) => [key.keyId, key])).values()];
}

/**
 * A new key in the data directory signs from now on; of the old one the public half stays, in `keys/retired`. Throws
 * InvalidInputError when the operator gives the key.
 */
export async function rotateSigningKey({ dataDir, signingKey }: KeySettings): Promise<ProvenanceKey> {
  if (signingKey !== null) {
    throw new InvalidInputError(`The key is given: STOWAGE_SIGNING_KEY is ${signingKey}`, {
      hint: 'Put another key into that file; nothing has to be restarted.',
    });
  }
  const old = await publicKeyOf(dataDir);
  const path = join(dataDir, 'keys', 'provenance.pem');
  await mkdir(retiredIn(dataDir), { recursive: true, mode: 0o700 });
  if (old !== null) {
    await writeFile(join(retiredIn(dataDir), `${readPublicKey(old).keyId}.pem`), old, { flush: true });
  }
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const aside = `${path}.${randomBytes(8).toString('hex')}`;
  await writeFile(aside, pem, { mode: 0o600, flag: 'wx', flush: true });
  await rename(aside, path);
  return readPublicKey(pem);
}

function retiredIn(dataDir: string): string {
  return join(dataDir, 'keys', 'retired');
}
