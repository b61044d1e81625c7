import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { removeTree } from '../remove-tree.ts';
import type { ControlGroup } from './control-group.ts';
import { OutboundNetwork } from './outbound-network.ts';

/**
 * What a sandboxed command can reach of networks: `none`: only its own `lo`; `outbound`: the world, but nothing of this
 * machine and no private network; `shared`: what this process reaches, for commands that run nobody else's code.
 */
export type SandboxNetwork = 'none' | 'shared' | { outboundExcept: readonly string[] };

export interface SandboxOptions {
  /** For this command alone; made, and removed at its end. */
  directory: string;
  network: SandboxNetwork;
  /** null: no limits. */
  controlGroup: ControlGroup | null;
  /** What it sees of our files besides programs; the last one wins. */
  mounts: readonly SandboxMount[];
  environment: Readonly<Record<string, string>>;
}

export interface SandboxMount {
  source: string;
  target: string;
  isWritable: boolean;
}

/** A command with all that it starts. */
export interface Sandbox {
  stdout: Readable;
  stderr: Readable;
  /** null: killed. Resolves when no process of it is left. */
  ended: Promise<number | null>;
  /** Kills all of it at once; nothing in it can prevent that. */
  kill(): void;
}

const SCRIPT = join(import.meta.dirname, 'sandbox.sh');

/**
 * Runs a command where it sees none of our processes, files, sockets and variables (sandbox.sh). It ends as a whole by
 * `kill`, and with this process, however that ends: its mounts are of its own namespace and go with it.
 */
export async function startSandbox(
  command: readonly string[],
  { directory, network, controlGroup, mounts, environment }: SandboxOptions,
): Promise<Sandbox> {
  const root = join(directory, 'root');
  await mkdir(root, { recursive: true });
  const kind = typeof network === 'string' ? network : 'outbound';
  const groups = controlGroup?.directories.flatMap((path) => ['--cgroup', path]) ?? [];
  const child = spawn(
    'setpriv',
    [
      ...['--pdeathsig', 'KILL', 'sh', SCRIPT, 'join', ...groups, kind, root],
      ...mounts.flatMap(({ source, target, isWritable }) => [
        isWritable ? '--write' : '--read',
        source,
        target,
      ]),
      ...command,
    ],
    {
      cwd: '/',
      env: { PATH: PROGRAMS, LC_ALL: 'C.UTF-8', ...controlGroup?.environment, ...environment },
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  child.stdin.on('error', () => undefined);
  const ended = exitOf(child);
  ended.catch(() => undefined);
  let outbound: OutboundNetwork | null = null;
  try {
    if (typeof network !== 'string') outbound = await OutboundNetwork.attach(child, ended);
    const blocked = typeof network === 'string' ? [] : network.outboundExcept;
    child.stdin.end(`${blocked.map((range) => `${range}\n`).join('')}\n`);
  } catch (error) {
    child.kill('SIGKILL');
    await ended.catch(() => undefined);
    outbound?.close();
    throw error;
  }
  return {
    stdout: child.stdout,
    stderr: child.stderr,
    ended: ended.finally(async () => {
      outbound?.close();
      await removeTree(root);
    }),
    kill: () => void child.kill('SIGKILL'),
  };
}

export const PROGRAMS = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

async function exitOf(child: ChildProcess): Promise<number | null> {
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
}
