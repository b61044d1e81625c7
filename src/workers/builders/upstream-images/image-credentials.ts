import { readFile } from 'node:fs/promises';
import { InvalidInputError } from '../../../domain/errors.ts';
import { nameText, type UpstreamName } from '../image-reference.ts';
import { askCredentialHelper } from './credential-helper.ts';

/** What a file of credentials says. */
export interface ImageCredentials {
  /** `user:password` by the registry, or by the part of it, that they are for. */
  entries: ReadonlyMap<string, string>;
  /** Registries and parts of them that the file names, with or without credentials; as it spells them. */
  named: ReadonlyMap<string, string>;
  /** Programs that know the credentials of a registry. */
  helpers: ReadonlyMap<string, string>;
  /** The program that knows those of all other registries; null: there is none. */
  store: string | null;
}

export const NO_CREDENTIALS: ImageCredentials = {
  entries: new Map(),
  named: new Map(),
  helpers: new Map(),
  store: null,
};

/**
 * A config.json of docker's clients, or an auth.json of the container tools. Throws InvalidInputError, which does not repeat
 * what is in the file.
 */
export async function readImageCredentials(file: string): Promise<ImageCredentials> {
  const value = parsed(await readFile(file, 'utf8'));
  if (!isObject(value))
    throw new InvalidInputError(`${file} is not a config.json of docker's: it has no auths`);
  const { auths = {}, credHelpers = {}, credsStore } = value;
  if (!isObject(auths))
    throw new InvalidInputError(`${file} is not a config.json of docker's: it has no auths`);
  if (!isObject(credHelpers)) throw new InvalidInputError(`${file}: its credHelpers are no object`);
  const entries = new Map<string, string>();
  const helpers = new Map<string, string>();
  for (const [key, entry] of Object.entries(auths)) {
    const found = credentialsOf(entry);
    if (found !== null) entries.set(keyOf(key), found);
  }
  for (const [key, helper] of Object.entries(credHelpers)) helpers.set(keyOf(key), String(helper));
  const named = new Map([...Object.keys(auths), ...Object.keys(credHelpers)].map((key) => [keyOf(key), key]));
  const store = typeof credsStore === 'string' && credsStore !== '' ? credsStore : null;
  return { entries, named, helpers, store };
}

/**
 * The most specific ones; null: there are none. A helper of the whole registry comes before what the file itself has for it,
 * the store of all registries after that. Throws DomainError when a helper fails.
 */
export async function credentialsFor(
  { entries, named, helpers, store }: ImageCredentials,
  { host, path }: UpstreamName,
  signal: AbortSignal,
): Promise<string | null> {
  const ask = (helper: string, key: string): Promise<string | null> =>
    askCredentialHelper(helper, named.get(key) ?? key, signal);
  const parts = path.split('/');
  for (let length = parts.length; length >= 0; length -= 1) {
    const key = [host, ...parts.slice(0, length)].join('/');
    const helper = helpers.get(key);
    const found = helper === undefined ? entries.get(key) : await ask(helper, key);
    if (found != null) return found;
  }
  return store === null ? null : await ask(store, host);
}

/** Whether the operator has named the registry there. */
export function namesRegistry({ named }: ImageCredentials, { host, path }: UpstreamName): boolean {
  const parts = nameText({ host, path }).split('/');
  return parts.some((_, index) => named.has(parts.slice(0, index + 1).join('/')));
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
