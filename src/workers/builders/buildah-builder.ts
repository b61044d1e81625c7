import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from '../../domain/config.ts';
import { BuildFailure, outOfTime } from '../../domain/images/build-failure.ts';
import { removeTree } from '../remove-tree.ts';
import {
  type BaseImage,
  findBaseImages,
  hasWholeHistory,
  lastLine,
  pullBaseImages,
  registryAccess,
} from './base-images.ts';
import { BUILDAH_ARGUMENTS, ContainerStorage } from './container-storage.ts';
import { ControlGroup } from './control-group.ts';
import { DiskWatch } from './disk-watch.ts';
import { type BaseReference, type DockerfilePlan, planDockerfile } from './dockerfile-plan.ts';
import type { BuiltImage, ImageBuild, ImageBuilder } from './image-builder.ts';
import { unreachableNetworks } from './outbound-network.ts';
import { passOnLines } from './output-lines.ts';
import { type Platform, parsePlatform, platformText, platformVariables } from './platform.ts';
import { settlePushedImage } from './pushed-image.ts';
import { readDockerfile } from './read-dockerfile.ts';
import { pushFailure, whenRegistryAnswers } from './registry-away.ts';
import type { SandboxMount } from './sandbox.ts';
import {
  type SecretVariable,
  secretArguments,
  secretEnvironment,
  secretVariables,
} from './secret-variables.ts';
import { STEP_RUNTIME, stepRuntime } from './step-runtime.ts';
import { StepTracker } from './step-tracker.ts';
import { writeSystemCallProfile } from './system-calls.ts';
import type { UpstreamImages } from './upstream-images/upstream-images.ts';

/** Beyond what containers usually have no right to: raw packets, device nodes, other roots. */
const DROPPED_CAPABILITIES = ['CAP_NET_RAW', 'CAP_MKNOD', 'CAP_SYS_CHROOT', 'CAP_AUDIT_WRITE'];

const PROFILE = '/run/system-calls.json';
const SYSTEM_CALLS = ['--security-opt', `seccomp=${PROFILE}`];

/** Builds without a daemon: every command is a process of its own, in a sandbox (sandbox.ts). */
export class BuildahBuilder implements ImageBuilder {
  readonly name = 'buildah';
  readonly #settings: Settings;
  readonly #upstream: Pick<UpstreamImages, 'copy'> | null;
  #version: Promise<string> | null = null;
  readonly #tidying = new Set<Promise<void>>();

  constructor(settings: Settings, upstream: Pick<UpstreamImages, 'copy'> | null = null) {
    this.#settings = settings;
    this.#upstream = upstream;
  }

  async build(input: ImageBuild): Promise<BuiltImage> {
    const deadline = AbortSignal.timeout(input.limits.seconds * 1000);
    const signal = AbortSignal.any([input.signal, deadline]);
    let line: number | null = null;
    const onStep = (at: number): void => {
      line = at;
      input.onStep(at);
    };
    const temporary = join(input.temporaryDirectory, 'buildah');
    await mkdir(temporary, { mode: 0o700 });
    const isKept = input.useCache || input.isHermetic;
    const directory = isKept
      ? join(this.#settings.dataDir, 'builds', 'storage', cacheOf(input))
      : join(temporary, 'storage');
    const storage = new ContainerStorage(directory, temporary);
    try {
      const release = await storage.hold(signal);
      const built = await this.#run({ ...input, onStep, signal }, storage, temporary).finally(release);
      if (isKept && (await storage.size()) > this.#settings.buildCacheBytes) this.#tidyLater(directory);
      return built;
    } catch (error) {
      if (isKept) this.#tidyLater(directory);
      input.signal.throwIfAborted();
      if (deadline.aborted) throw outOfTime(input.limits.seconds, line, error);
      throw error;
    } finally {
      await removeTree(temporary);
    }
  }

  /** Who has cancelled a build does not wait for this. */
  #tidyLater(directory: string): void {
    const temporary = join(this.#settings.dataDir, 'builds', `tidy-${process.pid}-${randomUUID()}`);
    const storage = new ContainerStorage(directory, temporary);
    const done = storage
      .tidy(this.#settings.buildCacheBytes, AbortSignal.timeout(TIDY_MS))
      // The next build that ends tries it again.
      .catch(() => undefined)
      .finally(async () => {
        await removeTree(temporary);
        this.#tidying.delete(done);
      });
    this.#tidying.add(done);
  }

  /** Resolves when nothing is done any more for builds that have ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#tidying);
  }

  async #run(input: ImageBuild, storage: ContainerStorage, temporary: string): Promise<BuiltImage> {
    const { signal, destination, onLine } = input;
    const version = await this.#buildahVersion(storage, signal);
    const platform = parsePlatform(input.platform);
    const plan = planDockerfile(await readDockerfile(input), {
      target: input.target,
      buildArguments: input.buildArguments,
      platformVariables: platformVariables(platform),
    });
    requireNoHereDocument(plan, version);
    const baseContext = {
      storage,
      settings: this.#settings,
      upstream: this.#upstream,
      destination,
      platform,
      temporaryDirectory: temporary,
      onLine,
      onStep: input.onStep,
      signal,
    };
    const bases = await findBaseImages(plan.baseImages, baseContext);
    await pullBaseImages(bases, baseContext);
    const histories = await Promise.all(bases.map((base) => hasWholeHistory(base, baseContext)));
    const inLayers = histories.every((isWhole) => isWhole);
    const group = await controlGroup(input, this.#settings);
    const imageId = await this.#runSteps({
      input,
      storage,
      temporary,
      plan,
      platform,
      bases,
      inLayers,
      group,
    }).finally(() => group.remove());
    await onLine('Pushing image to the registry...');
    const pushed = await whenRegistryAnswers(
      async () => {
        const digest = await push(imageId, input, storage, temporary);
        return await settlePushedImage(destination, digest, input.sourceDateEpoch, signal);
      },
      { signal, onLine },
    );
    return {
      ...pushed,
      baseImages: bases.map(({ reference, digest }) => ({ name: reference.name, digest })),
      builder: { name: 'buildah', version },
    };
  }

  /** The id of the image in the storage. */
  async #runSteps(run: Run): Promise<string> {
    const { input, storage, temporary, plan, group, bases } = run;
    const dockerfile = join(temporary, 'Dockerfile');
    const names = new Map<BaseReference, string>(bases.map(({ reference, pinned }) => [reference, pinned]));
    await writeFile(dockerfile, plan.withNames(names));
    const profile = join(temporary, 'system-calls.json');
    await writeSystemCallProfile(profile);
    const secrets = secretVariables(input.secrets);
    const mounts: SandboxMount[] = [
      { source: input.contextDirectory, target: '/context', isWritable: false },
      { source: dockerfile, target: '/run/Dockerfile', isWritable: false },
      { source: profile, target: PROFILE, isWritable: false },
      ...(await stepRuntime(input.stepEnvironment, this.#settings, temporary)),
      ...input.mounts.map(({ directory, isWritable = false }, index) => ({
        source: directory,
        target: `/run/mounts/${index}`,
        isWritable,
      })),
    ];
    const tracker = new StepTracker(plan);
    const sandbox = await storage.start(
      ['sh', '-c', 'exec "$@" 2>&1', 'sh', ...this.#command(run, secrets)],
      {
        network: input.isHermetic
          ? 'none'
          : { outboundExcept: unreachableNetworks(this.#settings.allowPrivateNetworks) },
        controlGroup: group,
        mounts,
        environment: secretEnvironment(secrets),
        signal: input.signal,
      },
    );
    let isDiskFull = false;
    const written = input.mounts.flatMap(({ directory, isWritable }) => (isWritable ? [directory] : []));
    const watched = [storage.directory, storage.scratch, ...written];
    const watch = new DiskWatch(watched, input.limits.diskBytes, () => {
      isDiskFull = true;
      sandbox.kill();
    });
    const passing = passOnLines(sandbox.stdout, (line) => {
      tracker.take(line);
      if (tracker.step !== null) input.onStep(tracker.step.line);
      return input.onLine(line);
    });
    passing.catch(() => sandbox.kill());
    sandbox.stderr.resume();
    const exitCode = await sandbox.ended.finally(() => watch.stop());
    await passing;
    input.signal.throwIfAborted();
    const isOutOfMemory = await group.hasRunOutOfMemory(tracker.wasKilled);
    if (exitCode !== 0) throw stepFailure({ tracker, exitCode, isDiskFull, isOutOfMemory, input });
    return (await readFile(join(storage.scratch, 'image-id'), 'utf8')).trim();
  }

  #command({ input, plan, platform, inLayers }: Run, secrets: readonly SecretVariable[]): string[] {
    const { buildIsolation } = this.#settings;
    return [
      ...BUILDAH_ARGUMENTS,
      'build',
      ...['--isolation', buildIsolation],
      ...(buildIsolation === 'oci' ? ['--runtime', STEP_RUNTIME, '--cgroup-parent', '/steps/run'] : []),
      ...SYSTEM_CALLS,
      // The network is that of the sandbox.
      ...['--network', 'host', '--pull-never'],
      `--layers=${inLayers}`,
      ...['--timestamp', String(input.sourceDateEpoch), '--identity-label=false'],
      ...(input.useCache && input.mounts.length === 0 ? [] : ['--no-cache']),
      ...['--format', plan.needsDockerFormat ? 'docker' : 'oci'],
      ...(input.platform === null ? [] : ['--platform', platformText(platform)]),
      ...DROPPED_CAPABILITIES.flatMap((capability) => ['--cap-drop', capability]),
      ...['--ulimit', 'core=0:0', '--ulimit', `fsize=${input.limits.diskBytes}:${input.limits.diskBytes}`],
      ...Object.entries(input.buildArguments).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
      ...Object.entries(input.labels).flatMap(([name, value]) => ['--label', `${name}=${value}`]),
      ...secretArguments(secrets),
      ...input.mounts.flatMap(({ path, isWritable = false }, index) => [
        '--volume',
        `/run/mounts/${index}:${path}:${isWritable ? 'rw' : 'ro'}`,
      ]),
      ...(input.target === null ? [] : ['--target', input.target]),
      ...['--iidfile', '/var/tmp/image-id', '--file', '/run/Dockerfile', '/context'],
    ];
  }

  #buildahVersion(storage: ContainerStorage, signal: AbortSignal): Promise<string> {
    this.#version ??= readVersion(storage, signal).catch((error: unknown) => {
      this.#version = null;
      throw error;
    });
    return this.#version;
  }
}

/** buildah understands here-documents from 1.33 on; older ones take their lines for instructions. */
function requireNoHereDocument({ hereDocument: line }: DockerfilePlan, version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (line === null || major > 1 || minor >= 33) return;
  throw new BuildFailure(
    'dockerfile-invalid',
    `The here-document in line ${line} of the Dockerfile needs buildah 1.33 or newer, or BuildKit; this worker has buildah ${version}`,
    { line },
  );
}

/** Its cache does not tell platforms apart: a layer of one would be taken for that of another. */
function cacheOf({ cacheScope, platform }: ImageBuild): string {
  const text = platformText(parsePlatform(platform));
  return text === platformText(parsePlatform(null))
    ? cacheScope
    : `${cacheScope}-${text.replaceAll('/', '-')}`;
}

interface Run {
  input: ImageBuild;
  storage: ContainerStorage;
  temporary: string;
  plan: DockerfilePlan;
  platform: Platform;
  bases: readonly BaseImage[];
  /** One for each step, which are kept for later builds; else one for all of them together. */
  inLayers: boolean;
  group: ControlGroup;
}

const TIDY_MS = 60_000;

async function readVersion(storage: ContainerStorage, signal: AbortSignal): Promise<string> {
  const outcome = await storage
    .run(['buildah', '--version'], { network: 'none', signal })
    .catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'ENOENT' ? unavailable('util-linux is not installed') : error;
    });
  const version = /buildah version (\S+)/.exec(outcome.stdout)?.[1];
  if (outcome.exitCode === 0 && version !== undefined) return version;
  throw unavailable(lastLine(outcome));
}

function unavailable(problem: string): BuildFailure {
  return new BuildFailure('builder-unavailable', `buildah cannot be used on this worker: ${problem}`, {
    hint: 'Run "stowage doctor" on the worker: it says what to install.',
  });
}

async function controlGroup({ limits }: ImageBuild, { buildIsolation }: Settings): Promise<ControlGroup> {
  try {
    // A step that is not in a container of its own could change the limits that it sees.
    return await ControlGroup.make(limits, buildIsolation === 'oci');
  } catch (error) {
    throw new BuildFailure(
      'builder-unavailable',
      `Builds cannot be limited on this worker: ${(error as Error).message}`,
      { hint: 'Run the worker as root where it may make control groups.', cause: error },
    );
  }
}

// --- the end --------------------------------------------------------------------------------------------------------

async function push(
  imageId: string,
  { destination, signal }: ImageBuild,
  storage: ContainerStorage,
  temporary: string,
): Promise<string> {
  const { host, protocol } = new URL(destination.url);
  const access = await registryAccess(destination, temporary);
  const outcome = await storage.run(
    [
      ...[...BUILDAH_ARGUMENTS, 'push', '--quiet', ...access.arguments],
      ...(protocol === 'http:' ? ['--tls-verify=false'] : []),
      ...['--digestfile', '/var/tmp/digest'],
      ...[imageId, `docker://${host}/${destination.path}:${destination.tag}`],
    ],
    { network: 'shared', mounts: access.mounts, signal },
  );
  if (outcome.exitCode !== 0) throw pushFailure(lastLine(outcome));
  return (await readFile(join(storage.scratch, 'digest'), 'utf8')).trim();
}

interface Ending {
  tracker: StepTracker;
  exitCode: number | null;
  isDiskFull: boolean;
  isOutOfMemory: boolean;
  input: ImageBuild;
}

function stepFailure({ tracker, exitCode, isDiskFull, isOutOfMemory, input }: Ending): BuildFailure {
  const { step, error } = tracker;
  const at = step === null ? {} : { line: step.line };
  const where = step === null ? '' : ` in line ${step.line} of the Dockerfile`;
  if (isDiskFull || tracker.saidDiskFull) {
    const { diskBytes } = input.limits;
    return new BuildFailure('out-of-disk', `The build has used up its disk space${where}`, {
      ...at,
      details: { diskBytes },
    });
  }
  if (isOutOfMemory) {
    const { memoryBytes } = input.limits;
    return new BuildFailure('out-of-memory', `The build has used up its memory${where}`, {
      ...at,
      details: { memoryBytes },
    });
  }
  if (step !== null) {
    const { exitStatus } = tracker;
    const ended = exitStatus === null ? error : `it ended with status ${exitStatus}`;
    return new BuildFailure('step-failed', `"${shortened(step.text)}"${where} failed: ${shortened(ended)}`, {
      ...at,
      details: { step: step.text, exitStatus },
    });
  }
  const [, line] = /\bline (\d+)\b/.exec(error) ?? [];
  if (line !== undefined || /dockerfile|parse|instruction|stage|no FROM/i.test(error)) {
    return new BuildFailure('dockerfile-invalid', `The Dockerfile is not valid: ${shortened(error)}`, {
      ...(line !== undefined && { line: Number(line) }),
    });
  }
  return new BuildFailure('internal', `The builder ended with status ${exitCode}: ${shortened(error)}`, {
    retryable: true,
  });
}

function shortened(text: string): string {
  return text.length <= 500 ? text : `${text.slice(0, 500)}…`;
}
