import { InvalidInputError } from '../../domain/errors.ts';
import { isImageName } from '../../domain/registry/image-name.ts';
import { isAddress, isTag } from '../../domain/registry/reference.ts';

/** An image as people write it: `[host[:port]/]name[:tag][@digest]`. */
export interface ImageReference {
  /** null: on the server that the command talks to. */
  host: string | null;
  name: string;
  /** Tag or digest; with both, the digest counts. */
  reference: string;
}

/** Throws InvalidInputError. The first component is a host when it looks like one, as for other clients of registries. */
export function parseImageReference(text: string): ImageReference {
  const [, host = null, rest = ''] = /^(?:([^/@]*[.:][^/@]*|localhost)\/)?(.*)$/s.exec(text) ?? [];
  const at = rest.indexOf('@');
  const named = at < 0 ? rest : rest.slice(0, at);
  const colon = named.lastIndexOf(':');
  const name = colon < 0 ? named : named.slice(0, colon);
  const tag = colon < 0 ? 'latest' : named.slice(colon + 1);
  const digest = at < 0 ? null : rest.slice(at + 1);
  const isHost = host === null || URL.canParse(`http://${host}`);
  if (!isHost || !isImageName(name) || !isTag(tag) || (digest !== null && !isAddress(digest))) {
    throw new InvalidInputError(`"${text.slice(0, 300)}" is not a reference like [HOST/]NAME[:TAG|@DIGEST]`);
  }
  return { host, name, reference: digest ?? tag };
}
