import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Settings } from '../config.ts';
import { DomainError, InvalidInputError } from '../errors.ts';

const PREFIX = 'sealed-1-';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export type SealSettings = Pick<Settings, 'secretsKey'>;

interface SealKey {
  /** Names it in what it has sealed. */
  id: string;
  secret: Buffer;
}

/**
 * Encrypts what the database must not tell (AES-256-GCM): credentials in URLs of repositories, secrets of builds. The first
 * key seals, all open; without one nothing is sealed. Something that is not sealed is taken as it is.
 */
export class Seal {
  readonly #keys: readonly SealKey[];

  private constructor(keys: readonly SealKey[]) {
    this.#keys = keys;
  }

  static async open({ secretsKey }: SealSettings): Promise<Seal> {
    return new Seal(secretsKey === null ? [] : parseSealKeys(await readFile(secretsKey, 'utf8'), secretsKey));
  }

  sealAll(secrets: Readonly<Record<string, string>>): Record<string, string> {
    return mapped(secrets, (text) => this.#sealWith(text, randomBytes(NONCE_BYTES)));
  }

  /** Throws DomainError `secrets-key-missing`. */
  unsealAll(secrets: Readonly<Record<string, string>>): Record<string, string> {
    return mapped(secrets, (text) => this.#unseal(text));
  }

  /**
   * The password, or a user name that is all there is, sealed in its place: whoever shows the URL leaves both out anyway. The
   * same URL gives the same text, so that requests for one repository can be told from others. What looks sealed is sealed
   * like anything else: who has read the database could send it on to a host of their own otherwise.
   */
  sealUrl<Text extends string | null>(text: Text): Text | string {
    if (text === null) return text;
    const [key] = this.#keys;
    const { before, credentials, behind } = partsOf(text);
    if (!key || credentials === '') return text;
    const nonce = createHmac('sha256', key.secret).update(text).digest().subarray(0, NONCE_BYTES);
    return `${before}${this.#sealWith(credentials, nonce)}${behind}`;
  }

  /** Throws DomainError `secrets-key-missing`. */
  unsealUrl<Text extends string | null>(text: Text): Text | string {
    if (text === null) return text;
    const { before, credentials, behind } = partsOf(text);
    return `${before}${this.#unseal(credentials)}${behind}`;
  }

  #unseal(text: string): string {
    const [, id, content] = SEALED.exec(text) ?? [];
    if (content === undefined) return text;
    const key = this.#keys.find((one) => one.id === id);
    if (!key) throw unknownKey(id!);
    const bytes = Buffer.from(content, 'base64url');
    const decipher = createDecipheriv('aes-256-gcm', key.secret, bytes.subarray(0, NONCE_BYTES));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const plain = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
    return Buffer.concat([plain, decipher.final()]).toString('utf8');
  }

  #sealWith(text: string, nonce: Buffer): string {
    const [key] = this.#keys;
    if (!key) return text;
    const cipher = createCipheriv('aes-256-gcm', key.secret, nonce);
    const content = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `${PREFIX}${key.id}-${content.toString('base64url')}`;
  }
}

const SEALED = new RegExp(`^${PREFIX}([0-9a-f]{8})-([\\w-]+)$`);

/** Of `user:password` the password counts; of a name alone the name, but for ssh, where it is part of the address. */
const WITH_CREDENTIALS = /^([a-z][a-z0-9+.-]*:\/\/)([^/?#:]*)(?::([^/?#]*))?(@.*)$/is;

function partsOf(text: string): { before: string; credentials: string; behind: string } {
  const [, scheme = '', user = '', password, behind = ''] = WITH_CREDENTIALS.exec(text) ?? [];
  if (behind === '') return { before: text, credentials: '', behind: '' };
  if (password !== undefined) return { before: `${scheme}${user}:`, credentials: password, behind };
  const isAddress = /^(git\+)?ssh:/i.test(scheme);
  return isAddress
    ? { before: text, credentials: '', behind: '' }
    : { before: scheme, credentials: user, behind };
}

/** A key a line. Throws InvalidInputError, which does not repeat what is in the file. */
export function parseSealKeys(text: string, name: string): SealKey[] {
  const lines = text.split('\n').map((line) => line.trim());
  const keys = lines.filter(Boolean).map((line) => {
    const secret = Buffer.from(line, 'base64');
    const id = createHash('sha256').update(secret).digest('hex').slice(0, 8);
    return { id, secret };
  });
  if (keys.length > 0 && keys.every(({ secret }) => secret.length === KEY_BYTES)) return keys;
  throw new InvalidInputError(`${name} must have keys of ${KEY_BYTES} bytes in base64, a line each`, {
    hint: `openssl rand -base64 ${KEY_BYTES} makes one.`,
  });
}

function mapped(
  secrets: Readonly<Record<string, string>>,
  change: (text: string) => string,
): Record<string, string> {
  return Object.fromEntries(Object.entries(secrets).map(([name, text]) => [name, change(text)]));
}

function unknownKey(id: string): DomainError {
  return new DomainError(
    'secrets-key-missing',
    `Credentials were encrypted with a key (${id}) that is not here`,
    {
      hint: 'STOWAGE_SECRETS_KEY must name the same keys in every process; old ones stay in the file, behind the new one.',
    },
  );
}
