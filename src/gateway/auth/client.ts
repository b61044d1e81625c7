import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { Settings } from '../../domain/config.ts';
import { trustsAddress } from './trusted-proxy.ts';

/** The client of a request, as the framework has it of its own requests: for those that it does not see. */
interface Client {
  address: string | undefined;
  protocol: string;
  host: string;
}

/** Reads it from the connection, and from what trusted proxies say. */
export function clientReader(
  settings: Pick<Settings, 'trustedProxies'>,
): (request: IncomingMessage) => Client {
  const isTrusted = trustsAddress(settings);
  return ({ socket, headers }) => {
    const { remoteAddress } = socket;
    const protocol = socket instanceof TLSSocket ? 'https' : 'http';
    const host = headers.host ?? '';
    if (!isTrusted(remoteAddress)) return { address: remoteAddress, protocol, host };
    return {
      address: addressOf([...listOf(headers['x-forwarded-for']), remoteAddress!], isTrusted),
      protocol: listOf(headers['x-forwarded-proto']).at(-1) ?? protocol,
      host: listOf(headers['x-forwarded-host']).at(-1) ?? host,
    };
  };
}

/** Each proxy adds whom it was called by: the last one that is no trusted proxy, else the first of all. */
function addressOf(addresses: readonly string[], isTrusted: (address: string) => boolean): string {
  return addresses.findLast((address) => !isTrusted(address)) ?? addresses[0]!;
}

function listOf(header: string | string[] | undefined): string[] {
  return [header ?? []]
    .flat()
    .flatMap((line) => line.split(','))
    .map((entry) => entry.trim())
    .filter(Boolean);
}
