import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import type { Settings } from '../../domain/config.ts';
import { UnauthenticatedError } from '../../domain/errors.ts';

export type ProxySettings = Pick<
  Settings,
  'trustedProxies' | 'proxyUserHeader' | 'proxyCertificateVerifyHeader' | 'proxyCertificateSubjectHeader'
>;

/** Ranges that have a name, as in the framework's own reading of the setting. */
const NAMED_RANGES: Record<string, readonly string[]> = {
  loopback: ['127.0.0.1/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

/**
 * Reads who a request comes from out of the headers of the web server in front (cachito.md 1.2). They are believed only
 * when the connection itself comes from a trusted address; from any other they are ignored.
 */
export function trustedProxyReader(settings: ProxySettings): (request: IncomingMessage) => string | null {
  const isTrusted = trustsAddress(settings);
  return (request) => {
    if (!isTrusted(request.socket.remoteAddress)) return null;
    const user = headerOf(request, settings.proxyUserHeader);
    if (user !== null) return user;
    if (headerOf(request, settings.proxyCertificateVerifyHeader) !== 'SUCCESS') return null;
    return headerOf(request, settings.proxyCertificateSubjectHeader);
  };
}

/** Whether an address is that of a trusted proxy: what it says of the client is believed. */
export function trustsAddress({
  trustedProxies,
}: Pick<Settings, 'trustedProxies'>): (address: string | undefined) => boolean {
  if (trustedProxies.length === 0) return () => false;
  const trusted = addressesOf(trustedProxies);
  return (address) => contains(trusted, address);
}

function addressesOf(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries.flatMap((name) => NAMED_RANGES[name] ?? [name])) {
    const [address = '', bits] = entry.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

function contains(list: BlockList, address: string | undefined): boolean {
  // A socket that listens on all addresses shows those of version 4 in the form of version 6.
  const plain = address?.replace(/^::ffff:(?=\d+\.)/, '') ?? '';
  const family = isIP(plain);
  return family !== 0 && list.check(plain, family === 6 ? 'ipv6' : 'ipv4');
}

/** null: not there, or set from a variable that had no value. */
function headerOf({ headersDistinct }: IncomingMessage, name: string): string | null {
  const values = headersDistinct[name.toLowerCase()] ?? [];
  // A proxy that adds its header to the client's own does not say who the client is.
  if (values.length > 1) throw new UnauthenticatedError(`The header ${name} is there more than once`);
  const [value = ''] = values;
  return value === '' || value === '(null)' ? null : utf8Of(value);
}

/** Headers come as bytes, one a character. */
function utf8Of(value: string): string {
  return Buffer.from(value, 'latin1').toString('utf8');
}
