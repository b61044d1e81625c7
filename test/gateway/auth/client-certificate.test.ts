import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSettings } from '../../../src/domain/config.ts';
import { oneLineSubject } from '../../../src/gateway/auth/client-certificate.ts';
import { tlsOptions } from '../../../src/gateway/tls.ts';
import { TestGateway } from '../../support/gateway.ts';

const run = promisify(execFile);

/** TLS ends in the gateway; the subject of a client certificate is the user (cachito.md 1.2). */
let directory: string;
let gateway: TestGateway;
const SUBJECT = 'CN=build\\, one,UID=b1+OU=Ops,O=Example \\"Inc\\",C=US';

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stowage-certificates-'));
  await authority('ca');
  await authority('other-ca');
  await certificate('server', 'ca', '/CN=localhost');
  await certificate('client', 'ca', '/C=US/O=Example "Inc"/OU=Ops+UID=b1/CN=build, one');
  await certificate('stranger', 'other-ca', '/CN=admin');
  gateway = await TestGateway.start({
    environment: {
      STOWAGE_TLS_CERT: file('server.pem'),
      STOWAGE_TLS_KEY: file('server.key'),
      STOWAGE_TLS_CLIENT_CA: file('ca.pem'),
      STOWAGE_WORKER_USERNAMES: JSON.stringify([SUBJECT]),
    },
  });
});

afterAll(async () => {
  await gateway?.close();
  await rm(directory, { recursive: true, force: true });
});

const file = (name: string): string => join(directory, name);

const NEW_KEY = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-multivalue-rdn'];

async function authority(name: string): Promise<void> {
  await run('openssl', [
    ...[...NEW_KEY, '-x509', '-days', '2', '-subj', `/CN=${name}`],
    ...['-keyout', file(`${name}.key`), '-out', file(`${name}.pem`)],
  ]);
}

async function certificate(name: string, issuer: string, subject: string): Promise<void> {
  const asked = file(`${name}.csr`);
  await run('openssl', [...NEW_KEY, '-subj', subject, '-keyout', file(`${name}.key`), '-out', asked]);
  await writeFile(file('extensions'), 'subjectAltName=IP:127.0.0.1\n');
  await run('openssl', [
    ...[
      'x509',
      '-req',
      '-days',
      '1',
      '-in',
      asked,
      '-out',
      file(`${name}.pem`),
      '-extfile',
      file('extensions'),
    ],
    ...['-CA', file(`${issuer}.pem`), '-CAkey', file(`${issuer}.key`), '-CAcreateserial'],
  ]);
}

async function call(
  as: string | null,
  { method = 'GET', path, body = null }: { method?: string; path: string; body?: string | null },
): Promise<{ status: number; body: string }> {
  const sent = request(`${gateway.url}${path}`, {
    method,
    ca: await readFile(file('ca.pem')),
    ...(as !== null && { cert: await readFile(file(`${as}.pem`)), key: await readFile(file(`${as}.key`)) }),
    headers: { 'content-type': 'application/json' },
    agent: false,
  });
  const answer = new Promise<{ status: number; body: string }>((resolve, reject) => {
    sent.once('response', (response) => {
      text(response).then((content) => resolve({ status: response.statusCode!, body: content }), reject);
    });
    sent.once('error', reject);
  });
  sent.end(body);
  return await answer;
}

const me = { method: 'POST', path: '/graphql', body: '{"query":"{ me { name } }"}' };

test('the gateway speaks HTTPS, and links say so', async () => {
  expect(gateway.url).toMatch(/^https:/);
  const { status, body } = await call('client', {
    method: 'POST',
    path: '/api/v1/requests',
    body: JSON.stringify({ repo: 'https://git.example/a/b', ref: 'c'.repeat(40) }),
  });
  expect([status, JSON.parse(body)]).toEqual([
    201,
    expect.objectContaining({ user: SUBJECT, logs: { url: `${gateway.url}/api/v1/requests/1/logs` } }),
  ]);
});

test('who comes with a certificate of ours is its subject; all others are nobody', async () => {
  const nameOf = async (as: string | null) => JSON.parse((await call(as, me)).body).data.me.name;
  expect([await nameOf('client'), await nameOf('stranger'), await nameOf(null)]).toEqual([
    SUBJECT,
    null,
    null,
  ]);
});

test('workers are named by their subject', async () => {
  const change = { method: 'PATCH', path: '/api/v1/requests/4000', body: '{"packages_count":1}' };
  expect((await call('client', change)).status).toBe(404);
  expect((await call('stranger', change)).status).toBe(401);
});

describe('The subject in one line, as httpd 2.4 has it in SSL_CLIENT_S_DN', () => {
  test('is what OpenSSL prints by RFC 2253', async () => {
    const { stdout } = await run('openssl', [
      ...['x509', '-in', file('client.pem'), '-noout', '-subject', '-nameopt', 'RFC2253,-esc_msb'],
    ]);
    expect(stdout.trim()).toBe(`subject=${SUBJECT}`);
  });

  test.each([
    ['CN=ada', 'CN=ada'],
    ['C=US\nO=Example\nCN=ada', 'CN=ada,O=Example,C=US'],
    ['O=a \\+ b=c\nCN=x', 'CN=x,O=a \\+ b=c'],
    ['O=x\nOU=y + CN=z', 'CN=z+OU=y,O=x'],
  ])('%j', (subject, line) => {
    expect(oneLineSubject(subject)).toBe(line);
  });
});

test.each<[Record<string, string>, string]>([
  [{ STOWAGE_TLS_CERT: 'server.pem' }, 'STOWAGE_TLS_CERT and STOWAGE_TLS_KEY belong together'],
  [{ STOWAGE_TLS_KEY: 'server.key' }, 'STOWAGE_TLS_CERT and STOWAGE_TLS_KEY belong together'],
  [{ STOWAGE_TLS_CLIENT_CA: 'ca.pem' }, 'STOWAGE_TLS_CLIENT_CA needs STOWAGE_TLS_CERT and STOWAGE_TLS_KEY'],
])('%j alone is refused', async (names, message) => {
  const environment = Object.fromEntries(Object.entries(names).map(([name, value]) => [name, file(value)]));
  await expect(tlsOptions(readSettings(environment))).rejects.toThrow(message);
});
