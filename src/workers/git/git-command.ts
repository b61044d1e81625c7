import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { Settings } from '../../domain/config.ts';
import { RepositoryAccessError } from '../../domain/errors.ts';
import { maskCredentials } from '../downloads/mask-credentials.ts';

/**
 * Runs git in an environment of its own (prefetch.md 12): no user or system configuration but the operator's, no hooks,
 * no prompts, only allowed protocols. Its input is hostile: it has a time limit and dies with its children.
 *
 * Spawned directly and not through simple-git: object streams (`cat-file --batch`) need the process's pipes, an abort must
 * end the whole process group, and simple-git refuses the `-c` options that switch hooks and protocols off.
 */
/** How one remote is reached. */
export interface RemoteAccess {
  /** More configuration, as `key=value`. */
  configuration: readonly string[];
  /** Protocols besides those of the settings: an operator's mirror may be a local path. */
  protocols: readonly string[];
}

export interface GitOptions {
  settings: Settings;
  signal?: AbortSignal;
  /** What this command may do besides. */
  remote?: RemoteAccess;
}

export class GitFailure extends Error {
  override readonly name = 'GitFailure';
  readonly exitCode: number | null;
  readonly stderr: string;

  constructor(args: readonly string[], exitCode: number | null, stderr: string) {
    super(`git ${args[0]} failed${exitCode === null ? '' : ` with status ${exitCode}`}: ${stderr.trim()}`);
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

const SAFE_CONFIGURATION = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.askPass=',
  'credential.interactive=false',
  'protocol.ext.allow=never',
  'gc.auto=0',
  'maintenance.auto=false',
  'fetch.fsckObjects=false',
  'transfer.hideRefs=',
  'advice.detachedHead=false',
];

const PASSED_ON =
  /^(PATH|SSL_CERT_FILE|SSL_CERT_DIR|GIT_SSL_CAINFO|SSH_AUTH_SOCK|https?_proxy|no_proxy|all_proxy)$/i;
const LONGEST_STDERR = 64 * 1024;

/** Standard output as text. Throws GitFailure; throws RepositoryAccessError when git is not installed. */
export async function git(
  args: readonly string[],
  options: GitOptions & { cwd?: string; input?: string },
): Promise<string> {
  const process = await startGit(args, options);
  if (options.input !== undefined) process.stdin.end(options.input);
  else process.stdin.end();
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdout) chunks.push(chunk as Buffer);
  await process.done;
  return Buffer.concat(chunks).toString('utf8');
}

export interface GitProcess {
  stdin: Writable;
  stdout: Readable;
  /** Settles when git has ended; throws GitFailure for a status other than 0. */
  done: Promise<void>;
  kill(): void;
}

export async function startGit(
  args: readonly string[],
  options: GitOptions & { cwd?: string },
): Promise<GitProcess> {
  const { settings, signal } = options;
  signal?.throwIfAborted();
  const home = await gitHome(settings);
  const configuration = [...SAFE_CONFIGURATION, ...(options.remote?.configuration ?? [])].flatMap((pair) => [
    '-c',
    pair,
  ]);
  const child = spawn('git', [...configuration, ...args], {
    cwd: options.cwd ?? home,
    env: environment(settings, home, options.remote?.protocols ?? []),
    stdio: ['pipe', 'pipe', 'pipe'],
    // A process group of its own, so that git's helpers end with it.
    detached: true,
  });
  const kill = (): void => killGroup(child);
  const timer = setTimeout(kill, settings.limits.commandSeconds * 1000);
  signal?.addEventListener('abort', kill, { once: true });
  child.stdin.on('error', () => undefined);

  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-LONGEST_STDERR);
  });
  const done = new Promise<void>((resolve, reject) => {
    child.once('error', (cause: NodeJS.ErrnoException) => reject(notRunnable(cause)));
    child.once('close', (code) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', kill);
      if (signal?.aborted) reject(signal.reason);
      else if (code === 0) resolve();
      else reject(new GitFailure(args, code, maskCredentials(stderr)));
    });
  });
  // Whoever reads the output first sees the failure at `done`.
  done.catch(() => undefined);
  return { stdin: child.stdin, stdout: child.stdout, done, kill };
}

const homes = new Map<string, Promise<string>>();

/**
 * A home directory of git's own with the global configuration: the operator's file, and the word that repositories of
 * other users may be read (a local repository's server side takes it from nowhere else).
 */
function gitHome(settings: Settings): Promise<string> {
  const key = `${settings.dataDir}\0${settings.gitConfig}`;
  let home = homes.get(key);
  if (!home) {
    home = makeHome(settings);
    home.catch(() => homes.delete(key));
    homes.set(key, home);
  }
  return home;
}

async function makeHome(settings: Settings): Promise<string> {
  const home = join(settings.dataDir, 'git', 'home');
  await mkdir(home, { recursive: true });
  const include =
    settings.gitConfig === null ? '' : `[include]\n\tpath = ${JSON.stringify(settings.gitConfig)}\n`;
  const temporary = join(home, `config.${process.pid}`);
  await writeFile(temporary, `[safe]\n\tdirectory = *\n${include}`);
  await rename(temporary, join(home, 'config'));
  return home;
}

function environment(settings: Settings, home: string, protocols: readonly string[]): NodeJS.ProcessEnv {
  const passedOn = Object.entries(process.env).filter(([name]) => PASSED_ON.test(name));
  const certificates = process.env.NODE_EXTRA_CA_CERTS;
  return {
    ...(certificates && !process.env.GIT_SSL_CAINFO && !process.env.SSL_CERT_FILE
      ? { GIT_SSL_CAINFO: certificates }
      : {}),
    ...Object.fromEntries(passedOn),
    HOME: home,
    LC_ALL: 'C',
    TZ: 'UTC',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: join(home, 'config'),
    GIT_ALLOW_PROTOCOL: [...settings.gitAllowedProtocols, ...protocols].join(':'),
    GIT_SSH_COMMAND: 'ssh -o BatchMode=yes -o ConnectTimeout=30',
    GIT_LFS_SKIP_SMUDGE: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_OPTIONAL_LOCKS: '0',
  };
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

function notRunnable(cause: NodeJS.ErrnoException): Error {
  if (cause.code !== 'ENOENT') return cause;
  return new RepositoryAccessError('executable-missing', 'git is not installed on the worker', {
    cause,
    hint: 'Install git; "stowage doctor" shows what else is missing.',
  });
}
