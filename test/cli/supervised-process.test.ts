import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
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
  expect(flags).toEqual(['--disable-warning=ExperimentalWarning', '--max-semi-space-size=4']);
  expect(childrenOf(server.child.pid!).map(nodeFlags)).toEqual([flags, flags]);
});
