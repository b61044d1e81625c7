import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer, TLSSocket } from 'node:tls';

/** A proxy behind which one name means our server, over TLS. */
export interface Tunnel {
  proxyUrl: string;
  /** Of a listener that speaks TLS at once. */
  tlsPort: number;
  authorityFile: string;
  close(): void;
}

/** Newer clients speak HTTPS only, to a name that no resolver knows. */
export async function openTunnel(name: string, target: string, directory: string): Promise<Tunnel> {
  const { key, cert, authorityFile } = makeCertificate(name, directory);
  const { hostname, port } = new URL(target);
  const server = createServer((_request, response) => void response.writeHead(405).end());
  const sockets = new Set<Socket>();
  const forward = (client: TLSSocket): void => {
    const upstream = connect(Number(port), hostname);
    for (const one of [client, upstream]) {
      sockets.add(one);
      one.on('error', () => undefined);
      one.on('close', () => {
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream).pipe(client);
  };
  server.on('connect', (_request, socket: Socket) => {
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    forward(new TLSSocket(socket, { isServer: true, key, cert }));
  });
  const tlsServer = createTlsServer({ key, cert }, forward);
  return {
    proxyUrl: `http://127.0.0.1:${await listen(server)}`,
    tlsPort: await listen(tlsServer),
    authorityFile,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      tlsServer.close();
    },
  };
}

export async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function makeCertificate(
  name: string,
  directory: string,
): { key: Buffer; cert: Buffer; authorityFile: string } {
  const path = (file: string): string => join(directory, file);
  const openssl = (...args: string[]): void =>
    void execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    ...['req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=test'],
    ...['-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
  );
  openssl('req', ...newKey, '-keyout', 'name.key', '-out', 'name.csr', '-subj', `/CN=${name}`);
  writeFileSync(path('name.ext'), `subjectAltName=DNS:${name}\n`);
  const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'name.ext'];
  openssl('x509', '-req', '-in', 'name.csr', '-out', 'name.pem', '-days', '2', ...signing);
  return {
    key: readFileSync(path('name.key')),
    cert: readFileSync(path('name.pem')),
    authorityFile: path('ca.pem'),
  };
}
