import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';

/** The subject of a client certificate that the connection was verified with; null: there is none. */
export function clientCertificateSubject({ socket }: IncomingMessage): string | null {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null;
  const certificate = socket.getPeerX509Certificate();
  return certificate === undefined ? null : oneLineSubject(certificate.subject);
}

/**
 * A distinguished name in one line as in RFC 2253, the most specific part first: `CN=ada,OU=build,O=Example,C=US`. That
 * is what Apache httpd 2.4 puts into SSL_CLIENT_S_DN. `subject` has a line for each part, the least specific first, with
 * values escaped already.
 */
export function oneLineSubject(subject: string): string {
  return subject
    .split('\n')
    .map((part) => part.split(SEVERAL_IN_ONE).reverse().join('+'))
    .reverse()
    .join(',');
}

/** Between the attributes of one part; in a value a plus sign is escaped. */
const SEVERAL_IN_ONE = /(?<!\\) \+ (?=[A-Za-z0-9.]+=)/;
