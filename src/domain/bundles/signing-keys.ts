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
import { DomainError, InvalidInputError } from '../errors.ts';
import { publicKeyOf, readPublicKey, Signer } from './signing.ts';

type KeySettings = Pick<Settings, 'dataDir' | 'signingKey'>;

/** Nothing was signed; the same may succeed when the operator has put the key right. Says no path: requests show it. */
export class SigningKeyUnusableError extends DomainError {
  constructor(cause: unknown) {
    super('signing-key-unusable', 'The key that signs provenance cannot be read', {
      cause,
      hint: '"stowage doctor" on the machine of the worker says why.',
      retryable: true,
    });
  }
}

/**
 * The key that signs now: another one may have taken its place since the last time. Its public half is remembered. Throws
 * SigningKeyUnusableError.
 */
export async function openSigner(
  { sql }: Pick<Database, 'sql'>,
  { dataDir, signingKey }: KeySettings,
): Promise<Signer> {
  const signer = await Signer.open(dataDir, signingKey).catch((error: unknown) => {
    throw new SigningKeyUnusableError(error);
  });
  await rememberProvenanceKey(sql, signer);
  return signer;
}

/** At the start of a process: the key that signs, if there is one yet, is published. Throws InvalidInputError if it is none. */
export async function publishOwnKey({ sql }: Pick<Database, 'sql'>, settings: KeySettings): Promise<void> {
  const own = await signingKeyOf(settings);
  if (own !== null) await rememberProvenanceKey(sql, own);
}

/**
 * First the one that signs now, if there is one yet, then all others that have ever signed, on whichever machine. Nothing is
 * made or written; a key that cannot be read now is left out, and told to `onUnusable`.
 */
export async function publishedKeys(
  { sql }: Pick<Database, 'sql'>,
  settings: KeySettings,
  onUnusable: (error: unknown) => void,
): Promise<ProvenanceKey[]> {
  const own = await signingKeyOf(settings).catch((error: unknown) => {
    onUnusable(error);
    return null;
  });
  const others = await listProvenanceKeys(sql);
  return [...(own === null ? [] : [own]), ...others.filter((one) => one.keyId !== own?.keyId)];
}

async function signingKeyOf({ dataDir, signingKey }: KeySettings): Promise<ProvenanceKey | null> {
  const pem = await publicKeyOf(dataDir, signingKey);
  return pem === null ? null : readPublicKey(pem);
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
