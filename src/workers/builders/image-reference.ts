import { InvalidInputError } from '../../domain/errors.ts';
import type { Digest } from '../../domain/storage/blob-store.ts';

/** What FROM names. */
export interface ImageReference {
  /** With its port; null: the name does not say. */
  host: string | null;
  path: string;
  /** null: only the digest counts. */
  tag: string | null;
  digest: Digest | null;
}

/** An image of a registry. */
export interface UpstreamName {
  host: string;
  path: string;
}

const HOST = /^[a-z0-9]+(?:[.-]+[a-z0-9]+)*(?::\d{1,5})?$/i;
const PATH = /^[a-z0-9]+(?:(?:\.|__|_|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|__|_|-+)[a-z0-9]+)*)*$/;
const TAIL = /^(.*?)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/;
const LONGEST = 255;

/**
 * The first part is a host when it could not be anything else, as for docker's clients. Throws InvalidInputError.
 */
export function parseImageReference(text: string): ImageReference {
  const [, name = '', tag, digest] = TAIL.exec(text) ?? [];
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  const host = /[.:]/.test(first) || first === 'localhost' || /[A-Z]/.test(first) ? first : null;
  const path = host === null ? name : name.slice(slash + 1);
  const isValid = (host === null || HOST.test(host)) && PATH.test(path) && name.length <= LONGEST;
  if (!isValid) throw new InvalidInputError(`"${text.slice(0, LONGEST)}" is not the name of an image`);
  return {
    host: host?.toLowerCase() ?? null,
    path,
    tag: tag ?? (digest === undefined ? 'latest' : null),
    digest: (digest as Digest | undefined) ?? null,
  };
}

export function nameText({ host, path }: UpstreamName): string {
  return `${host}/${path}`;
}
