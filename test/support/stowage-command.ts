import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const ENTRY = join(import.meta.dirname, '../../bin/stowage');

/** Of whoever runs the tests: where the programs are, and what of ours is compiled already (global-setup.ts). */
export function ownEnvironment(): NodeJS.ProcessEnv {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  return { PATH, HOME: '/nonexistent', ...(NODE_COMPILE_CACHE !== undefined && { NODE_COMPILE_CACHE }) };
}

export interface CommandResult {
  /** Exit status, or the signal that ended it. */
  status: number | NodeJS.Signals;
  stdout: string;
  stderr: string;
}

/** `bin/stowage` as a user runs it, with nothing of the environment of whoever runs the tests. */
export class StowageCommand {
  readonly child: ChildProcess;
  readonly result: Promise<CommandResult>;
  stdout = '';
  stderr = '';
  #changed: () => void = () => undefined;

  constructor(args: readonly string[], options: { env?: Record<string, string>; cwd?: string } = {}) {
    this.child = spawn(ENTRY, args, {
      cwd: options.cwd,
      env: { ...ownEnvironment(), ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#changed();
    });
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#changed();
    });
    this.result = once(this.child, 'close').then(([code, signal]) => {
      this.#changed();
      return { status: code ?? signal, stdout: this.stdout, stderr: this.stderr };
    });
  }

  /** Waits until either output matches; fails when the command ends before. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
      if (match) return match;
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(`ended before ${pattern}:\n${this.stdout}\n${this.stderr}`);
      }
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  async end(signal: NodeJS.Signals): Promise<CommandResult> {
    this.child.kill(signal);
    return await this.result;
  }
}

export function stowage(
  args: readonly string[],
  options: { env?: Record<string, string>; cwd?: string } = {},
): Promise<CommandResult> {
  return new StowageCommand(args, options).result;
}
