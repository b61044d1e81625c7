import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { removeTree } from '../remove-tree.ts';
import type { ControlGroup } from './control-group.ts';
import { NAME_SERVER } from './outbound-network.ts';
import { PROGRAMS, type Sandbox, type SandboxMount, type SandboxNetwork, startSandbox } from './sandbox.ts';

/** As a sandbox sees them. */
const STORAGE = '/storage';
const SCRATCH = '/var/tmp';
const LOCK = 'builds.lock';
/** `containers-storage:` for skopeo. */
export const STORAGE_PREFIX = `containers-storage:[overlay@${STORAGE}+/run/storage]`;

export interface StorageCommand {
  network: SandboxNetwork;
  controlGroup?: ControlGroup;
  mounts?: readonly SandboxMount[];
  environment?: Readonly<Record<string, string>>;
  /** Whether to wait for all others that use the storage (`exclusive`), or, if there are some, to do nothing. */
  lock?: 'shared' | 'exclusive';
  signal: AbortSignal;
}

export interface CommandOutcome {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

/** Layers and images on disk, as the tools for containers keep them, and what runs on them. */
export class ContainerStorage {
  readonly directory: string;
  readonly #temporary: string;
  #commands = 0;

  /** @param temporary of this build alone */
  constructor(directory: string, temporary: string) {
    this.directory = directory;
    this.#temporary = temporary;
  }

  /** Of files that commands take for large things, and leave for us. */
  get scratch(): string {
    return join(this.#temporary, 'scratch');
  }

  /** Rejects with the signal's reason after its abort, when nothing of it is left. */
  async run(command: readonly string[], options: StorageCommand): Promise<CommandOutcome> {
    const sandbox = await this.start(command, options);
    const [exitCode, stdout, stderr] = await Promise.all([
      sandbox.ended,
      text(sandbox.stdout),
      text(sandbox.stderr),
    ]);
    options.signal.throwIfAborted();
    return { exitCode, stdout, stderr };
  }

  /** What works on the storage at the same time is kept apart by its own locks; ours tells whether somebody does. */
  async start(command: readonly string[], options: StorageCommand): Promise<Sandbox> {
    options.signal.throwIfAborted();
    const { network, lock = 'shared', mounts = [], signal } = options;
    const directory = join(this.#temporary, `command-${++this.#commands}`);
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    for (const path of [join(this.directory, 'cache'), this.scratch, directory]) {
      await mkdir(path, { recursive: true });
    }
    const etc = await this.#configuration(directory, options);
    const flags =
      lock === 'exclusive' ? ['--exclusive', '--nonblock', '--conflict-exit-code', '0'] : ['--shared'];
    const sandbox = await startSandbox(['flock', ...flags, `${STORAGE}/${LOCK}`, ...command], {
      directory,
      network,
      controlGroup: options.controlGroup ?? null,
      mounts: [
        ...etc,
        { source: this.directory, target: STORAGE, isWritable: true },
        { source: join(this.directory, 'cache'), target: '/var/lib/containers/cache', isWritable: true },
        { source: this.scratch, target: SCRATCH, isWritable: true },
        ...mounts,
      ],
      environment: {
        ...options.environment,
        ...{ HOME: '/root', TMPDIR: SCRATCH, CONTAINERS_CONF: '/run/containers.conf' },
      },
    });
    const kill = (): void => sandbox.kill();
    signal.addEventListener('abort', kill, { once: true });
    if (signal.aborted) kill();
    return {
      ...sandbox,
      ended: sandbox.ended.finally(async () => {
        signal.removeEventListener('abort', kill);
        await removeTree(directory);
      }),
    };
  }

  /** Commands that talk to registries see our /etc; steps of a build see only what any container needs. */
  async #configuration(directory: string, { network }: StorageCommand): Promise<SandboxMount[]> {
    const configuration = join(directory, 'containers.conf');
    await writeFile(configuration, '[network]\nnetwork_config_dir = "/run/networks"\n');
    const conf = { source: configuration, target: '/run/containers.conf', isWritable: false };
    if (network === 'shared') return [{ source: '/etc', target: '/etc', isWritable: false }, conf];
    const etc = join(directory, 'etc');
    await mkdir(join(etc, 'containers'), { recursive: true });
    const nameServers = network === 'none' ? '' : `nameserver ${NAME_SERVER}\n`;
    const files: Record<string, string> = {
      passwd: 'root:x:0:0:root:/root:/bin/sh\n',
      group: 'root:x:0:\n',
      hosts: '127.0.0.1 localhost\n::1 localhost\n',
      'resolv.conf': nameServers,
      'containers/policy.json': '{"default":[{"type":"insecureAcceptAnything"}]}\n',
      'containers/registries.conf': 'unqualified-search-registries = []\nshort-name-mode = "disabled"\n',
    };
    for (const [name, content] of Object.entries(files)) await writeFile(join(etc, name), content);
    return [{ source: etc, target: '/etc', isWritable: false }, conf];
  }

  /**
   * Keeps others from {@link tidy} until what it gives is called: between the commands of a build nobody may remove what
   * the next one needs. Ends with this process, however that ends.
   */
  async hold(signal: AbortSignal): Promise<() => Promise<void>> {
    signal.throwIfAborted();
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    const holder = spawn(
      'setpriv',
      [
        ...['--pdeathsig', 'KILL', 'flock', '--shared', '--no-fork', join(this.directory, LOCK)],
        ...['sh', '-c', 'echo held; exec cat > /dev/null'],
      ],
      { cwd: '/', env: { PATH: PROGRAMS }, stdio: ['pipe', 'pipe', 'ignore'] },
    );
    holder.stdin.on('error', () => undefined);
    const ended = once(holder, 'close').then(
      () => undefined,
      () => undefined,
    );
    const release = async (): Promise<void> => {
      holder.kill('SIGKILL');
      await ended;
    };
    try {
      await Promise.race([once(holder.stdout, 'data', { signal }), ended]);
    } catch (error) {
      await release();
      throw signal.aborted ? signal.reason : error;
    }
    return release;
  }

  /**
   * Removes what builds left behind that did not end by themselves, and all layers when they take more than `mostBytes`.
   * Does nothing while somebody builds: the last one to end gets its turn.
   */
  async tidy(mostBytes: number, signal: AbortSignal): Promise<void> {
    const isFull = (await this.size()) > mostBytes;
    const script = `${BUILDAH} rm --all >/dev/null; ${isFull ? `${BUILDAH} rmi --all --force >/dev/null;` : ''} true`;
    await this.run(['sh', '-c', script], { network: 'none', lock: 'exclusive', signal });
  }

  /** Bytes of all layers, as the storage has counted them. */
  async size(): Promise<number> {
    const index = join(this.directory, 'overlay-layers', 'layers.json');
    const text = await readFile(index, 'utf8').catch(() => '[]');
    const layers = JSON.parse(text || '[]') as { 'diff-size'?: number }[];
    return layers.reduce((sum, layer) => sum + (layer['diff-size'] ?? 0), 0);
  }
}

/** The start of every command on the storage. */
export const BUILDAH_ARGUMENTS = [
  ...['buildah', '--root', STORAGE, '--runroot', '/run/storage'],
  ...['--storage-driver', 'overlay'],
];
const BUILDAH = BUILDAH_ARGUMENTS.join(' ');
