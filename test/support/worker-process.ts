import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ownEnvironment } from './stowage-command.ts';

const ENTRY = join(import.meta.dirname, '../../bin/stowage');

/** A worker as production runs it: a process of its own. */
export class WorkerProcess {
  readonly child: ChildProcess;
  #output = '';

  /** `umask` in octal; `uid` of another user, for root only. */
  constructor(
    environment: Record<string, string>,
    { umask = '022', uid }: { umask?: string; uid?: number } = {},
  ) {
    this.child = spawn('sh', ['-c', `umask ${umask}; exec "$@"`, 'sh', ENTRY, 'worker'], {
      env: { ...ownEnvironment(), ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(uid !== undefined && { uid, gid: uid }),
    });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
      });
    }
  }

  get output(): string {
    return this.#output;
  }

  /** Resolves with the exit status or signal. */
  async end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const exit = once(this.child, 'exit');
      this.child.kill(signal);
      await exit;
    }
    return this.child.exitCode ?? this.child.signalCode!;
  }
}
