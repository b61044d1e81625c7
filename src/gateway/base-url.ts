import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';
import type { Settings } from '../domain/config.ts';

/**
 * Base of absolute links, without a slash at its end: as configured, else as the client addressed us; one that says
 * nothing usable, as HTTP/1.0 allows, is shown the address that it reached.
 */
export function baseUrlOf(
  settings: Pick<Settings, 'publicUrl'>,
  request: { protocol: string; host: string; raw: Pick<IncomingMessage, 'socket'> },
): string {
  const { protocol, host, raw } = request;
  return settings.publicUrl ?? `${protocol}://${HOST.test(host) ? host : addressOf(raw.socket)}`;
}

/** Names, addresses of both versions, with a port. */
const HOST = /^(?:[\p{L}\p{N}._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/iu;

function addressOf({ localAddress = '', localPort }: IncomingMessage['socket']): string {
  const plain = localAddress.replace(/^::ffff:(?=\d+\.)/, '');
  return `${isIPv6(plain) ? `[${plain}]` : plain}:${localPort}`;
}
