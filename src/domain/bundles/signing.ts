import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError, InvalidFileFormat, InvalidInputError } from '../errors.ts';

/** A DSSE envelope (prefetch.md 15). */
export interface Envelope {
  payloadType: string;
  /** base64 */
  payload: string;
  signatures: { keyid: string; sig: string }[];
}

export const IN_TOTO = 'application/vnd.in-toto+json';

/** Signs with the Ed25519 key of this installation. */
export class Signer {
  readonly keyId: string;
  /** PEM. */
  readonly publicKey: string;
  readonly #key: KeyObject;

  private constructor(key: KeyObject) {
    this.#key = key;
    const publicKey = createPublicKey(key);
    this.publicKey = publicKey.export({ type: 'spki', format: 'pem' }) as string;
    this.keyId = keyIdOf(publicKey);
  }

  /** With the key in the file that was given; else with that in `keys/` of the data directory (0600), made on first use. */
  static async open(dataDir: string, keyFile: string | null = null): Promise<Signer> {
    if (keyFile !== null) return new Signer(readSigningKey(await readFile(keyFile, 'utf8'), keyFile));
    const directory = join(dataDir, 'keys');
    const path = join(directory, 'provenance.pem');
    const present = await readKey(path);
    if (present !== null) return new Signer(readSigningKey(present, path));
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const { privateKey } = generateKeyPairSync('ed25519');
    await writeOnce(path, privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
    return new Signer(createPrivateKey((await readKey(path))!));
  }

  sign(statement: object): Envelope {
    const payload = Buffer.from(JSON.stringify(statement));
    const sig = sign(null, preAuthentication(IN_TOTO, payload), this.#key).toString('base64');
    return {
      payloadType: IN_TOTO,
      payload: payload.toString('base64'),
      signatures: [{ keyid: this.keyId, sig }],
    };
  }
}

async function readKey(path: string): Promise<string | null> {
  return await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}

/** Durably, and never over a file that is there: of several processes that start at once, the first one counts for all. */
async function writeOnce(path: string, content: string): Promise<void> {
  const aside = `${path}.${randomBytes(8).toString('hex')}`;
  const file = await open(aside, 'wx', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
    await link(aside, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  } finally {
    await file.close();
    await unlink(aside);
  }
}

/** An Ed25519 key that can sign. Throws InvalidInputError, which does not repeat what is in the file. */
export function readSigningKey(pem: string, name: string): KeyObject {
  let key: KeyObject | null = null;
  try {
    key = createPrivateKey(pem);
  } catch {
    // Said below.
  }
  if (key?.asymmetricKeyType === 'ed25519') return key;
  const found =
    key === null ? 'no private key in PEM form (without a passphrase)' : `a key of ${key.asymmetricKeyType}`;
  throw new InvalidInputError(`${name} must be an Ed25519 private key, and has ${found}`, {
    hint: 'openssl genpkey -algorithm ed25519 makes one.',
  });
}

/**
 * The public key of this installation: of the key that was given, or of the one it has made if it has signed anything yet.
 * Throws InvalidInputError.
 */
export async function publicKeyOf(dataDir: string, keyFile: string | null = null): Promise<string | null> {
  const path = keyFile ?? join(dataDir, 'keys', 'provenance.pem');
  const pem = await readKey(path);
  if (pem === null) return null;
  const publicKey = createPublicKey(readSigningKey(pem, path));
  return publicKey.export({ type: 'spki', format: 'pem' }) as string;
}

/** A public key in PEM (or the public half of a private one). Throws InvalidInputError. */
export function readPublicKey(pem: string): { publicKey: string; keyId: string } {
  try {
    const key = createPublicKey(pem);
    return { publicKey: key.export({ type: 'spki', format: 'pem' }) as string, keyId: keyIdOf(key) };
  } catch (cause) {
    throw new InvalidInputError('The key is no public key in PEM form', { cause });
  }
}

/** An envelope from outside, its shape checked. Throws InvalidFileFormat. */
export function parseEnvelope(text: string): Envelope {
  let parsed: Partial<Envelope> | null = null;
  try {
    parsed = JSON.parse(text) as Partial<Envelope> | null;
  } catch {
    // Said below, like every other wrong shape.
  }
  const { payloadType, payload, signatures } = parsed ?? {};
  const isEnvelope =
    typeof payloadType === 'string' &&
    isBase64(payload) &&
    Array.isArray(signatures) &&
    signatures.every((one) => isBase64(one?.sig) && typeof (one.keyid ?? '') === 'string');
  if (!isEnvelope) throw new InvalidFileFormat('unexpected-format', 'The attestation is no DSSE envelope');
  return {
    payloadType,
    payload,
    signatures: signatures.map(({ keyid, sig }) => ({ keyid: keyid ?? '', sig })),
  };
}

/** Node takes anything for base64 and leaves out what it does not know: only the one right spelling counts. */
function isBase64(text: unknown): text is string {
  return typeof text === 'string' && Buffer.from(text, 'base64').toString('base64') === text;
}

/** What an envelope holds, whoever has signed it. Throws InvalidFileFormat. */
export function statementOf({ payloadType, payload }: Envelope): object {
  let statement: unknown = null;
  if (payloadType === IN_TOTO) {
    try {
      statement = JSON.parse(Buffer.from(payload, 'base64').toString('utf8'));
    } catch {
      // Said below.
    }
  }
  if (typeof statement !== 'object' || statement === null) {
    throw new InvalidFileFormat('unexpected-format', 'The attestation holds no in-toto statement');
  }
  return statement;
}

/** The statement of an envelope that the key has signed. Throws DomainError `signature-invalid`. */
export function verifyEnvelope(envelope: Envelope, publicKeyPem: string): object {
  const key = createPublicKey(publicKeyPem);
  const signed = preAuthentication(envelope.payloadType, Buffer.from(envelope.payload, 'base64'));
  const good = envelope.signatures.some(({ sig }) => isGood(signed, key, Buffer.from(sig, 'base64')));
  if (!good) throw new DomainError('signature-invalid', 'No signature of the envelope was made by this key');
  return statementOf(envelope);
}

function isGood(signed: Buffer, key: KeyObject, signature: Buffer): boolean {
  try {
    return verify(null, signed, key, signature);
  } catch {
    // OpenSSL throws for signatures that are none of this kind of key.
    return false;
  }
}

/** sha256 of the public key in DER form. */
function keyIdOf(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

/** PAE of the DSSE specification. */
function preAuthentication(type: string, payload: Buffer): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}
