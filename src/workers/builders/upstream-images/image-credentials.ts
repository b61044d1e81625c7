import { readFile } from 'node:fs/promises';
import { InvalidInputError } from '../../../domain/errors.ts';
import { nameText, type UpstreamName } from '../image-reference.ts';

/** `user:password` by the registry, or by the part of it, that they are for. */
export type ImageCredentials = ReadonlyMap<string, string>;

/**
 * A config.json of docker's clients, or an auth.json of the container tools. Helpers of credentials are not run. Throws
 * InvalidInputError, which does not repeat what is in the file.
 */
export async function readImageCredentials(file: string): Promise<ImageCredentials> {
  const value = parsed(await readFile(file, 'utf8'));
  const auths = isObject(value) ? (value.auths ?? {}) : null;
  if (!isObject(auths))
    throw new InvalidInputError(`${file} is not a config.json of docker's: it has no auths`);
  const credentials = new Map<string, string>();
  for (const [key, entry] of Object.entries(auths)) {
    const found = credentialsOf(entry);
    if (found !== null) credentials.set(keyOf(key), found);
  }
  return credentials;
}

/** The most specific ones; null: there are none. */
export function credentialsFor(credentials: ImageCredentials, { host, path }: UpstreamName): string | null {
  const parts = path.split('/');
  for (let length = parts.length; length >= 0; length -= 1) {
    const found = credentials.get([host, ...parts.slice(0, length)].join('/'));
    if (found !== undefined) return found;
  }
  return null;
}

/** Whether the operator has named the registry there. */
export function namesRegistry(credentials: ImageCredentials, name: UpstreamName): boolean {
  return credentialsFor(credentials, name) !== null || credentials.has(nameText(name));
}

/** Old clients write a URL, for the first of all registries that of its index: a host below its own. */
function keyOf(key: string): string {
  const plain = key.replace(/^https?:\/\//, '').replace(/\/+$/, '');
  const legacy = /^index\.([^/]+)\/v1$/.exec(plain);
  return (legacy ? legacy[1]! : plain.replace(/\/v[12]$/, '')).toLowerCase();
}

function credentialsOf(entry: unknown): string | null {
  if (!isObject(entry)) return null;
  const { auth, username, password } = entry;
  if (typeof auth === 'string' && auth !== '')
    return Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '');
  return typeof username === 'string' && typeof password === 'string' ? `${username}:${password}` : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
