import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createTestDatabase, dropTestDatabase } from '../support/database.ts';
import { StowageCommand } from '../support/stowage-command.ts';

/** Arguments of node, up to the program. */
function nodeFlags(pid: number | string): string[] {
  const [, ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  return args.slice(
    0,
    args.findIndex((argument) => !argument.startsWith('--')),
  );
}

/** Whether a process has a socket that listens on this port. */
function listensOn(pid: string, port: string): boolean {
  const hex = Number(port).toString(16).toUpperCase().padStart(4, '0');
  const inodes = new Set(
    readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local, , state]) => state === '0A' && local?.endsWith(`:${hex}`))
      .map((fields) => `socket:[${fields[9]}]`),
  );
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => inodes.has(readlinkSync(`/proc/${pid}/fd/${fd}`)));
  } catch {
    return false;
  }
}

function childrenOf(pid: number): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1] === String(pid);
    } catch {
      return false;
    }
  });
}

test('several gateways share the port, and one that is killed is replaced', async () => {
  const url = await createTestDatabase();
  const dataDir = mkdtempSync(join(tmpdir(), 'stowage-supervised-'));
  const server = new StowageCommand(['serve'], {
    env: { DATABASE_URL: url, STOWAGE_DATA_DIR: dataDir, STOWAGE_PORT: '0', STOWAGE_GATEWAY_PROCESSES: '3' },
  });
  onTestFinished(async () => {
    await server.end('SIGTERM');
    await dropTestDatabase(url);
    rmSync(dataDir, { recursive: true });
  });
  const [, address] = await server.until(/ready on (\S+)/);
  expect(server.stdout.match(/ready on/g)).toHaveLength(1);
  const gateways = () =>
    childrenOf(server.child.pid!).filter((pid) => listensOn(pid, new URL(address!).port));
  await expect.poll(gateways).toHaveLength(3);
  const [killed] = gateways();
  process.kill(Number(killed), 'SIGKILL');
  await expect
    .poll(gateways, { timeout: 20_000 })
    .toEqual([expect.not.stringMatching(`^${killed}$`), expect.anything(), expect.anything()]);
  for (let call = 0; call < 10; call += 1) expect((await fetch(`${address}/livez`)).status).toBe(200);
});

test('gateway and worker run with the flags of bin/stowage, which bound their memory', async () => {
  const url = await createTestDatabase();
  const dataDir = mkdtempSync(join(tmpdir(), 'stowage-supervised-'));
  const server = new StowageCommand(['serve'], {
    env: { DATABASE_URL: url, STOWAGE_DATA_DIR: dataDir, STOWAGE_PORT: '0' },
  });
  onTestFinished(async () => {
    await server.end('SIGTERM');
    await dropTestDatabase(url);
    rmSync(dataDir, { recursive: true });
  });
  await server.until(/ready on/);
  const flags = nodeFlags(server.child.pid!);
  expect(flags).toEqual([
    '--disable-warning=ExperimentalWarning',
    '--max-semi-space-size=4',
    '--heap-growing-percent=80',
  ]);
  expect(childrenOf(server.child.pid!).map(nodeFlags)).toEqual([flags, flags]);
});
