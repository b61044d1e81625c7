import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ServerOptions } from 'node:https';
import type { Settings } from '../domain/config.ts';
import { InvalidInputError } from '../domain/errors.ts';
import { SERVER_LIMITS } from './security-headers.ts';

export type TlsSettings = Pick<Settings, 'tlsCertificate' | 'tlsKey' | 'tlsClientAuthorities'>;

/** When the first certificate of the chain ends; null without one. */
export function certificateExpiry(options: ServerOptions | null): Date | null {
  return options === null ? null : new X509Certificate(options.cert as Buffer).validToDate;
}

/** Options of an HTTPS server; null: TLS ends in front of us, or nowhere. Throws InvalidInputError. */
export async function tlsOptions(settings: TlsSettings): Promise<ServerOptions | null> {
  const { tlsCertificate, tlsKey, tlsClientAuthorities } = settings;
  if ((tlsCertificate === null) !== (tlsKey === null)) {
    throw new InvalidInputError('STOWAGE_TLS_CERT and STOWAGE_TLS_KEY belong together');
  }
  if (tlsCertificate === null || tlsKey === null) {
    if (tlsClientAuthorities === null) return null;
    throw new InvalidInputError('STOWAGE_TLS_CLIENT_CA needs STOWAGE_TLS_CERT and STOWAGE_TLS_KEY');
  }
  return {
    ...SERVER_LIMITS.http,
    cert: await readFile(tlsCertificate),
    key: await readFile(tlsKey),
    minVersion: 'TLSv1.2',
    // Reading needs no certificate; one of somebody else's authority is as good as none.
    ...(tlsClientAuthorities !== null && {
      ca: await readFile(tlsClientAuthorities),
      requestCert: true,
      rejectUnauthorized: false,
    }),
  };
}
