import type { Settings } from '../../../domain/config.ts';
import { InvalidInputError } from '../../../domain/errors.ts';
import { type ImageReference, nameText, parseImageReference, type UpstreamName } from '../image-reference.ts';
import type { AskTools } from './container-tools.ts';
import { credentialsFor, type ImageCredentials, namesRegistry } from './image-credentials.ts';

/** A place to get an image from. */
export interface Origin extends UpstreamName {
  /** Base of its `/v2`. */
  endpoint: string;
  /** `user:password`; null: none are known for it. */
  credentials: string | null;
  /** Named by the operator: may be on a private address, and may speak http. */
  isTrusted: boolean;
}

export interface OriginRules {
  mirrors: Settings['imageMirrors'];
  credentials: ImageCredentials;
  allowPrivateNetworks: boolean;
  askTools: AskTools;
  signal: AbortSignal;
}

/**
 * The image's name in full, and where to look for it: the operator's mirrors in their order, then where the name says.
 * Throws InvalidInputError for a name without a host of which nobody says where it belongs.
 */
export async function originsOf(
  reference: Pick<ImageReference, 'host' | 'path'>,
  rules: OriginRules,
): Promise<{ name: UpstreamName; origins: Origin[] }> {
  const { host, path } = reference;
  // An address says itself where it is.
  const isNamed = host === null || /[a-z]/i.test(host.replace(/:\d+$/, '').replace(/^localhost$/, ''));
  const answer = isNamed ? await rules.askTools(host === null ? path : `${host}/${path}`) : null;
  const name = host === null ? (answer?.name ?? null) : { host, path };
  const mirrors = await mirrorsOf(
    name === null ? [path] : [nameText(name), ...(host === null ? [path] : [])],
    rules,
  );
  if (name === null) {
    if (mirrors.length > 0) return { name: mirrors[0]!, origins: mirrors };
    throw new InvalidInputError(
      `"${path}" names no registry: write its host before it, or set STOWAGE_IMAGE_MIRRORS (${path}=host/path)`,
    );
  }
  const credentials = await credentialsFor(rules.credentials, name, rules.signal);
  const origin: Origin = {
    ...name,
    endpoint: answer?.endpoint ?? defaultEndpoint(name.host, rules),
    credentials,
    isTrusted:
      credentials !== null || namesRegistry(rules.credentials, name) || isOpenLoopback(name.host, rules),
  };
  return { name, origins: [...mirrors, origin] };
}

/** `prefix=replacement`, where the prefix ends with a part of the name; the replacement may begin with `http://`. */
async function mirrorsOf(
  names: readonly string[],
  { mirrors, credentials, signal }: OriginRules,
): Promise<Origin[]> {
  const origins: Origin[] = [];
  for (const { prefix, replacement } of mirrors) {
    const start = prefix.replace(/\/+$/, '');
    const name = names.find((one) => one === start || one.startsWith(`${start}/`));
    if (name === undefined) continue;
    const [, scheme = 'https', target = ''] = /^(?:(https?):\/\/)?(.*?)\/*$/.exec(replacement) ?? [];
    const { host, path } = parseImageReference(`${target}${name.slice(start.length)}`);
    if (host === null) {
      throw new InvalidInputError(`STOWAGE_IMAGE_MIRRORS: "${replacement}" does not begin with a host`);
    }
    const mirror = { host, path };
    origins.push({
      ...mirror,
      endpoint: `${scheme}://${host}`,
      credentials: await credentialsFor(credentials, mirror, signal),
      isTrusted: true,
    });
  }
  return origins;
}

function defaultEndpoint(host: string, rules: OriginRules): string {
  return `${isOpenLoopback(host, rules) ? 'http' : 'https'}://${host}`;
}

/** On this machine, where that is allowed: as for other clients, without TLS. */
function isOpenLoopback(host: string, { allowPrivateNetworks }: OriginRules): boolean {
  return allowPrivateNetworks && /^(localhost|127\.\d+\.\d+\.\d+)(:\d+)?$/.test(host);
}
