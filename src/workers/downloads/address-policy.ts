import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { BlockList, isIP, isIPv4, isIPv6, type LookupFunction } from 'node:net';
import { NetworkError, ValidationError } from '../../domain/errors.ts';

/**
 * IPv4 addresses that no source may name (prefetch.md 12). The documentation ranges of RFC 5737 are not among them. The
 * last one is the metadata service of a cloud inside its public range; those of the others are link-local or private.
 */
const REFUSED_IPV4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  ['168.63.129.16', 32],
] as const;

/** Only global unicast (2000::/3) is public, without the special block that holds Teredo, ORCHID and benchmarking. */
const REFUSED_IPV6 = [['2001::', 23]] as const;

/** IPv6 forms that stand for an IPv4 address: index of its first 16-bit group. */
const EMBEDDED_IPV4 = [
  { prefix: [0, 0, 0, 0, 0, 0xffff], group: 6 },
  { prefix: [0, 0, 0, 0, 0xffff, 0], group: 6 },
  { prefix: [0x64, 0xff9b, 0, 0, 0, 0], group: 6 },
  { prefix: [0x2002], group: 1 },
] as const;

const refused = new BlockList();
for (const [network, prefix] of REFUSED_IPV4) refused.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of REFUSED_IPV6) refused.addSubnet(network, prefix, 'ipv6');

/** Whether an address (as text, without brackets) belongs to the public internet. Anything that is no address does not. */
export function isPublicAddress(ip: string): boolean {
  if (isIPv4(ip)) return !refused.check(ip, 'ipv4');
  if (!isIPv6(ip)) return false;
  const groups = groupsOf(ip);
  for (const { prefix, group } of EMBEDDED_IPV4) {
    if (!prefix.every((value, index) => groups[index] === value)) continue;
    const [high, low] = [groups[group]!, groups[group + 1]!];
    return isPublicAddress(`${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`);
  }
  return groups[0]! >> 13 === 1 && !refused.check(ip, 'ipv6');
}

/**
 * Resolves a host and returns its addresses when all of them are public; a caller that pins one of them uses what was
 * checked. Throws ValidationError for other addresses, NetworkError when the host cannot be resolved.
 */
export async function assertPublicHost(
  host: string,
  signal?: AbortSignal,
  lookup: LookupFunction = systemLookup as LookupFunction,
): Promise<LookupAddress[]> {
  signal?.throwIfAborted();
  const addresses = await resolveHost(unbracketed(host), signal, lookup);
  if (addresses.length === 0 || !addresses.every(({ address }) => isPublicAddress(address))) {
    throw refusedHost(host);
  }
  return addresses;
}

/** A lookup for sockets that gives public addresses only: what it checked is what is connected to. */
export function publicLookup(lookup: LookupFunction = systemLookup as LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, options, (error, address, family) => {
      if (error) return callback(error, address, family);
      const addresses = typeof address === 'string' ? [address] : address.map((one) => one.address);
      if (addresses.length > 0 && addresses.every(isPublicAddress)) return callback(null, address, family);
      callback(refusedHost(hostname), '');
    });
  };
}

/** For hosts that are addresses already, which no lookup sees. Throws ValidationError. */
export function assertPublicLiteral(host: string): void {
  const ip = unbracketed(host);
  if (isIP(ip) !== 0 && !isPublicAddress(ip)) throw refusedHost(host);
}

function refusedHost(host: string): ValidationError {
  return new ValidationError('fetch-failed', `The host ${host} is not on a public network`, {
    details: { host },
    hint: 'STOWAGE_ALLOW_PRIVATE_NETWORKS allows loopback, link-local and private addresses.',
  });
}

function resolveHost(
  host: string,
  signal: AbortSignal | undefined,
  lookup: LookupFunction,
): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    lookup(host, { all: true }, (error, addresses, family) => {
      signal?.removeEventListener('abort', abort);
      if (error) {
        const message = `Could not resolve the host ${host}: ${error.code ?? error.message}`;
        reject(
          new NetworkError('fetch-failed', message, { cause: error, retryable: true, details: { host } }),
        );
      } else if (typeof addresses === 'string') resolve([{ address: addresses, family: family ?? 4 }]);
      else resolve(addresses);
    });
  });
}

function unbracketed(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}

/** The eight 16-bit groups of a valid IPv6 address. */
function groupsOf(ip: string): number[] {
  const address = ip
    .replace(/%.*$/, '')
    .replace(/[\d.]+$/, (tail) => (tail.includes('.') ? ipv4Groups(tail) : tail));
  const [head = '', tail] = address.split('::');
  const first = head.split(':').filter(Boolean);
  const last = tail?.split(':').filter(Boolean) ?? [];
  const zeros = Array<string>(8 - first.length - last.length).fill('0');
  return [...first, ...(tail === undefined ? [] : zeros), ...last].map((group) => Number.parseInt(group, 16));
}

function ipv4Groups(ip: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = ip.split('.').map(Number);
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}
