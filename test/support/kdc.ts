import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const REALM = 'TEST.EXAMPLE';

/** A Kerberos realm of its own, on loopback. */
export interface Kdc {
  /** What our side needs: KRB5_CONFIG, KRB5_KTNAME. */
  serverEnvironment: Record<string, string>;
  addUser(name: string, password: string): Promise<void>;
  /** Adds `service`, e.g. `HTTP/localhost`, with its key in the key table. */
  addService(service: string): Promise<void>;
  /** What a client needs that has logged in as this user. */
  login(name: string, password: string): Promise<Record<string, string>>;
  stop(): Promise<void>;
}

/** Why there can be no KDC here; null: there can. */
export async function missingForKdc(): Promise<string | null> {
  const missing = ['krb5kdc', 'kdb5_util', 'kadmin.local', 'kinit', 'curl'].filter(
    (name) => !programOf(name),
  );
  if (missing.length > 0) return `not installed: ${missing.join(', ')} (see system-packages.txt)`;
  const { stdout } = await run('curl', ['--version']);
  if (!/\bSPNEGO\b/.test(stdout)) return 'curl does not know SPNEGO';
  try {
    await import('kerberos');
    return null;
  } catch (error) {
    return `the package kerberos is not there: ${(error as Error).message}`;
  }
}

/** Administration programs are not on everybody's path. */
function programOf(name: string): string | null {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path)) ?? null;
}

export async function startKdc(): Promise<Kdc> {
  const directory = await mkdtemp(join(tmpdir(), 'stowage-kdc-'));
  const port = await freePort();
  const keyTable = join(directory, 'service.keytab');
  const environment = {
    KRB5_CONFIG: join(directory, 'krb5.conf'),
    KRB5_KDC_PROFILE: join(directory, 'kdc.conf'),
  };
  await writeFile(environment.KRB5_CONFIG, clientConfiguration(port));
  await writeFile(environment.KRB5_KDC_PROFILE, kdcConfiguration(directory, port));
  const env = { ...process.env, ...environment };
  const administer = async (query: string): Promise<void> => {
    await run(programOf('kadmin.local')!, ['-r', REALM, '-q', query], { env });
  };
  await run(programOf('kdb5_util')!, ['create', '-s', '-r', REALM, '-P', 'master'], { env });
  const kdc = spawn(programOf('krb5kdc')!, ['-n', '-r', REALM], { env, stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => kdc.once('close', () => resolve()));
  await listening(port, AbortSignal.timeout(10_000)).catch((error: unknown) => {
    kdc.kill();
    throw error;
  });
  let logins = 0;
  return {
    serverEnvironment: { KRB5_CONFIG: environment.KRB5_CONFIG, KRB5_KTNAME: keyTable },
    addUser: (name, password) => administer(`addprinc -pw ${password} ${name}`),
    async addService(service) {
      await administer(`addprinc -randkey ${service}`);
      await administer(`ktadd -k ${keyTable} ${service}`);
    },
    async login(name, password) {
      const client = {
        KRB5_CONFIG: environment.KRB5_CONFIG,
        KRB5CCNAME: `FILE:${join(directory, `tickets-${++logins}`)}`,
      };
      const kinit = run('kinit', [name], { env: { ...process.env, ...client } });
      kinit.child.stdin!.end(`${password}\n`);
      await kinit;
      return client;
    },
    async stop() {
      kdc.kill();
      await ended;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** It says nothing when it is ready: until it takes a connection. */
async function listening(port: number, signal: AbortSignal): Promise<void> {
  while (!(await accepts(port))) {
    signal.throwIfAborted();
    await setTimeout(10);
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const accepted = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  });
  socket.destroy();
  return accepted;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function clientConfiguration(port: number): string {
  return `[libdefaults]
  default_realm = ${REALM}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
[realms]
  ${REALM} = {
    kdc = 127.0.0.1:${port}
  }
[domain_realm]
  localhost = ${REALM}
`;
}

function kdcConfiguration(directory: string, port: number): string {
  return `[kdcdefaults]
  kdc_listen = 127.0.0.1:${port}
  kdc_tcp_listen = 127.0.0.1:${port}
[realms]
  ${REALM} = {
    database_name = ${directory}/principal
    key_stash_file = ${directory}/stash
    acl_file = ${directory}/kadm5.acl
  }
[logging]
  kdc = FILE:${directory}/kdc.log
  admin_server = FILE:${directory}/kadmin.log
`;
}
