import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { Settings } from '../../domain/config.ts';
import { SubprocessCallError } from '../../domain/errors.ts';
import { maskCredentials } from '../downloads/mask-credentials.ts';
import { type ProcessGroup, startProcessGroup } from '../process-group.ts';

/** What one command needs beyond the rules that hold for all. */
export interface GitOptions {
  /** Repository to work in. Absent: none. */
  gitDirectory?: string;
  workingDirectory?: string;
  /** `key=value`, as with `-c`. */
  config?: readonly string[];
  environment?: Readonly<Record<string, string>>;
  input?: string;
  /** Of the output; 64 MiB unless told. */
  maxBytes?: number;
}

export interface GitOutput {
  stdout: Buffer;
  /** Credentials masked. */
  stderr: string;
}

/** A git process whose output is read as it comes. */
export interface GitProcess {
  stdin: Writable;
  stdout: Readable;
  /** Rejects with GitFailure when git reports an error. */
  done: Promise<void>;
  stop(): void;
}

/** Git ended with an error. Says nothing about whose fault it is: callers turn it into a RequestFailure. */
export class GitFailure extends Error {
  readonly exitCode: number | null;
  /** Credentials masked. */
  readonly stderr: string;
  readonly timedOut: boolean;

  constructor(command: string, outcome: { exitCode: number | null; stderr: string; timedOut: boolean }) {
    super(`git ${command} failed: ${outcome.timedOut ? 'timed out' : outcome.stderr.trim()}`);
    this.name = 'GitFailure';
    this.exitCode = outcome.exitCode;
    this.stderr = outcome.stderr;
    this.timedOut = outcome.timedOut;
  }
}

const MAX_OUTPUT = 64 * 1024 * 1024;

/**
 * Runs git in a scrubbed environment (prefetch.md 12): no configuration but the operator's, no hooks, no prompts, only
 * the allowed protocols. Every command is a process group of its own, which ends with the signal or at its time limit.
 * simple-git is not used: it ends the first process only and would leave the transport helpers of a fetch running, holds
 * all output in memory, and refuses the very options that close the holes.
 */
export class Git {
  readonly settings: Settings;
  readonly signal: AbortSignal;
  readonly #home: string;

  constructor(settings: Settings, signal: AbortSignal) {
    this.settings = settings;
    this.signal = signal;
    this.#home = join(settings.dataDir, 'git', 'home');
  }

  async run(args: readonly string[], options: GitOptions = {}): Promise<GitOutput> {
    const group = this.#start(args, options);
    group.stdin.end(options.input ?? '');
    const chunks: Buffer[] = [];
    let size = 0;
    group.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > (options.maxBytes ?? MAX_OUTPUT)) group.stop();
      else chunks.push(chunk);
    });
    const stderr = await succeeded(group, args);
    return { stdout: Buffer.concat(chunks), stderr };
  }

  /** Output as text without the final line break. */
  async text(args: readonly string[], options: GitOptions = {}): Promise<string> {
    return (await this.run(args, options)).stdout.toString().trimEnd();
  }

  stream(args: readonly string[], options: GitOptions = {}): GitProcess {
    const group = this.#start(args, options);
    const done = succeeded(group, args).then(() => undefined);
    done.catch(() => undefined);
    return { stdin: group.stdin, stdout: group.stdout, done, stop: group.stop };
  }

  #start(args: readonly string[], options: GitOptions): ProcessGroup {
    mkdirSync(this.#home, { recursive: true, mode: 0o700 });
    return startProcessGroup('git', [...this.#globalArguments(options), ...args], {
      workingDirectory: options.workingDirectory ?? this.#home,
      environment: { ...this.#environment(), ...options.environment },
      signal: this.signal,
      seconds: this.settings.limits.commandSeconds,
    });
  }

  #globalArguments({ gitDirectory, config = [] }: GitOptions): string[] {
    const rules = [...CLOSED_HOLES, ...config].flatMap((rule) => ['-c', rule]);
    return [
      ...(gitDirectory === undefined ? [] : [`--git-dir=${gitDirectory}`]),
      '--no-replace-objects',
      ...rules,
    ];
  }

  #environment(): Record<string, string> {
    const passed = PASSED_VARIABLES.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    });
    const own = process.env;
    const certificates = own.GIT_SSL_CAINFO ?? own.SSL_CERT_FILE;
    return {
      ...Object.fromEntries(passed),
      ...(certificates ? { GIT_SSL_CAINFO: certificates } : {}),
      HOME: this.#home,
      LC_ALL: 'C',
      GIT_TERMINAL_PROMPT: '0',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: this.settings.gitConfig ?? '/dev/null',
      GIT_ALLOW_PROTOCOL: allowedProtocols(this.settings).join(':'),
      GIT_OPTIONAL_LOCKS: '0',
      GIT_NO_LAZY_FETCH: '1',
      // An empty answer to every question that a prompt program would be asked.
      GIT_ASKPASS: 'true',
      SSH_ASKPASS: 'true',
    };
  }
}

/** `ext` runs commands: no setting allows it. */
export function allowedProtocols(settings: Settings): string[] {
  return settings.gitAllowedProtocols.filter((protocol) => /^[a-z]+$/.test(protocol) && protocol !== 'ext');
}

const CLOSED_HOLES = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'protocol.ext.allow=never',
  'gc.autoDetach=false',
  'maintenance.autoDetach=false',
  'http.lowSpeedLimit=1000',
  'http.lowSpeedTime=60',
];

const PASSED_VARIABLES = [
  'PATH',
  'TMPDIR',
  'SSH_AUTH_SOCK',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'http_proxy',
  'https_proxy',
  'HTTPS_PROXY',
  'all_proxy',
  'ALL_PROXY',
  'no_proxy',
  'NO_PROXY',
];

/** What git said on its way to success. Throws GitFailure. */
async function succeeded({ ended }: ProcessGroup, [command = '']: readonly string[]): Promise<string> {
  const outcome = await ended.catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? missingGit(error) : error;
  });
  const stderr = maskCredentials(outcome.stderr);
  if (outcome.exitCode !== 0 || outcome.timedOut) throw new GitFailure(command, { ...outcome, stderr });
  return stderr;
}

function missingGit(cause: Error): SubprocessCallError {
  return new SubprocessCallError('executable-missing', 'The git command could not be run', {
    hint: 'Install git 2.37 or newer.',
    cause,
  });
}
