import { createHash } from 'node:crypto';
import type { Digest } from '../storage/blob-store.ts';
import { RegistryError } from './errors.ts';

/** A digest of either algorithm, as clients give it: an address of bytes. */
export type Address = Digest | `sha512:${string}`;
export type Algorithm = 'sha256' | 'sha512';

/** How a client names a manifest. */
export type Reference = { tag: string } | { address: Address };

const ADDRESS = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

export function isAddress(text: string): text is Address {
  return ADDRESS.test(text);
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** Throws `digest-invalid`, also for an algorithm that we do not have. */
export function parseAddress(text: string): Address {
  if (isAddress(text)) return text;
  throw new RegistryError('digest-invalid', `"${text.slice(0, 200)}" is not a digest of sha256 or sha512`);
}

/** null: neither a tag nor anything that looks like a digest. Throws `digest-invalid` for a malformed digest. */
export function parseReference(text: string): Reference | null {
  if (text.includes(':')) return { address: parseAddress(text) };
  return isTag(text) ? { tag: text } : null;
}

export function algorithmOf(address: Address): Algorithm {
  return address.startsWith('sha512:') ? 'sha512' : 'sha256';
}

export function isDigest(address: Address): address is Digest {
  return address.startsWith('sha256:');
}

export function addressOf(bytes: Uint8Array, algorithm: Algorithm): Address {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}` as Address;
}
