import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isProcessAlive } from '../../domain/process-alive.ts';

const TOP = '/sys/fs/cgroup';
const PREFIX = 'stowage-build-';
/** A worker in another namespace of processes, which looks gone from here, may be about to put processes into its group. */
const NEW_MS = 60_000;
/** For the builder itself, beside its steps. */
const BUILDER_MEMORY = 1024 ** 3;
const BUILDER_PROCESSES = 256;

export interface GroupLimits {
  memoryBytes: number;
  processes: number;
}

/** Limits on all processes of one build together, on either version of the kernel's interface. */
export class ControlGroup {
  /** Processes are to be put in each. */
  readonly directories: readonly string[];
  /** For sandbox.sh, which makes a group of their own for the steps in it, where they are to have one. */
  readonly environment: Readonly<Record<string, string>>;

  private constructor(directories: readonly string[], environment: Readonly<Record<string, string>>) {
    this.directories = directories;
    this.environment = environment;
  }

  /** Throws the system's error where control groups may not be made. */
  static async make(limits: GroupLimits, hasStepGroup: boolean): Promise<ControlGroup> {
    await sweep();
    const name = `${PREFIX}${process.pid}-${randomUUID().slice(0, 8)}`;
    const group = new ControlGroup(
      hierarchies().map((hierarchy) => join(hierarchy, name)),
      hasStepGroup
        ? { STEP_MEMORY: String(limits.memoryBytes), STEP_PROCESSES: String(limits.processes) }
        : {},
    );
    try {
      for (const directory of group.directories) await mkdir(directory);
      await group.#limit(['memory.limit_in_bytes', 'memory.max'], limits.memoryBytes + BUILDER_MEMORY);
      await group.#limit(['pids.max'], limits.processes + BUILDER_PROCESSES);
    } catch (error) {
      await group.remove();
      throw error;
    }
    return group;
  }

  /**
   * Whether a process was killed because memory was used up. Version 1 of the interface does not tell that of groups that
   * are gone, as that of a step is, but that their limit was hit. Before {@link remove}.
   */
  async hasRunOutOfMemory(wasKilled: boolean): Promise<boolean> {
    const number = async (path: string, pattern: RegExp): Promise<number> =>
      Number(pattern.exec(await readFile(path, 'utf8').catch(() => ''))?.[1] ?? 0);
    for (const directory of this.directories) {
      for (const path of await tree(directory)) {
        for (const file of ['memory.oom_control', 'memory.events']) {
          if ((await number(join(path, file), /^oom_kill (\d+)$/m)) > 0) return true;
        }
        if (wasKilled && (await number(join(path, 'memory.failcnt'), /^(\d+)$/m)) > 0) return true;
      }
    }
    return false;
  }

  /** When no process is in it any more. */
  async remove(): Promise<void> {
    for (const directory of this.directories) await removeTree(directory);
  }

  /** Each name exists in one version of the interface. */
  async #limit(names: readonly string[], value: number): Promise<void> {
    const files = this.directories
      .flatMap((directory) => names.map((name) => join(directory, name)))
      .filter((path) => existsSync(path));
    if (files.length === 0) throw new Error(`there is no ${names.join(' or ')} in ${TOP}`);
    for (const file of files) await writeFile(file, String(value));
  }
}

/** One on version 2; on version 1, also beside 2, those that have limits or that an OCI runtime needs. */
function hierarchies(): string[] {
  if (existsSync(join(TOP, 'cgroup.controllers'))) return [TOP];
  return ['memory', 'pids', 'devices', 'freezer'].map((controller) => join(TOP, controller));
}

/** Groups that a killed worker left behind are empty: their processes died with it. */
async function sweep(): Promise<void> {
  for (const hierarchy of hierarchies()) {
    for (const name of await readdir(hierarchy).catch(() => [])) {
      const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length).split('-')[0]) : Number.NaN;
      if (Number.isNaN(pid) || isProcessAlive(pid)) continue;
      const directory = join(hierarchy, name);
      if ((await ageOf(directory)) > NEW_MS) await removeTree(directory).catch(() => undefined);
    }
  }
}

/** Milliseconds; of one that is gone: 0. */
async function ageOf(directory: string): Promise<number> {
  return await stat(directory).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0,
  );
}

/** From the leaves to the root. */
async function tree(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const children = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(directory, name));
  return [...(await Promise.all(children.map(tree))).flat(), directory];
}

async function removeTree(directory: string): Promise<void> {
  for (const path of await tree(directory)) {
    // A process that was killed just now is counted for a moment longer.
    for (let attempt = 0; ; attempt++) {
      const error = await rmdir(path).then(
        () => null,
        (failure: NodeJS.ErrnoException) => failure,
      );
      if (!error || error.code === 'ENOENT') break;
      if (error.code !== 'EBUSY' || attempt === 100) throw error;
      await delay(10);
    }
  }
}
