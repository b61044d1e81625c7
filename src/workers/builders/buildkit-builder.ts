import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from '../../domain/config.ts';
import { BuildFailure, outOfTime } from '../../domain/images/build-failure.ts';
import { type GroupOptions, startProcessGroup } from '../process-group.ts';
import { removeTree } from '../remove-tree.ts';
import { type BaseImage, findBaseImages } from './base-images.ts';
import { ContainerStorage } from './container-storage.ts';
import { planDockerfile } from './dockerfile-plan.ts';
import type { BuiltImage, ImageBuild, ImageBuilder } from './image-builder.ts';
import { passOnLines } from './output-lines.ts';
import { parsePlatform, platformVariables } from './platform.ts';
import { settlePushedImage } from './pushed-image.ts';
import { readDockerfile } from './read-dockerfile.ts';
import { pushFailure, whenRegistryAnswers } from './registry-away.ts';
import { PROGRAMS } from './sandbox.ts';
import { secretArguments, secretEnvironment, secretVariables } from './secret-variables.ts';
import type { UpstreamImages } from './upstream-images/upstream-images.ts';

const MOST_LINES = 40;

/**
 * Builds by the BuildKit of a Docker engine, which the operator has set up for that: how steps are kept apart, what they
 * reach and how much they may use is the engine's matter. Builds from a bundle need the builder buildah.
 */
export class BuildkitBuilder implements ImageBuilder {
  readonly name = 'buildkit';
  readonly #settings: Settings;
  readonly #upstream: UpstreamImages | null;

  constructor(settings: Settings, upstream: UpstreamImages | null = null) {
    this.#settings = settings;
    this.#upstream = upstream;
  }

  async build(input: ImageBuild): Promise<BuiltImage> {
    const temporary = join(input.temporaryDirectory, 'buildkit');
    const client = join(temporary, 'client');
    await mkdir(client, { recursive: true, mode: 0o700 });
    try {
      return await this.#run(input, temporary, new DockerClient(this.#settings, input, client));
    } finally {
      await removeTree(temporary);
    }
  }

  async #run(input: ImageBuild, temporary: string, docker: DockerClient): Promise<BuiltImage> {
    if (input.mounts.length > 0) {
      throw new BuildFailure('builder-unavailable', 'Builds from a bundle need STOWAGE_BUILDER=buildah');
    }
    const { destination, signal, onLine } = input;
    const version = await docker.version();
    const platform = parsePlatform(input.platform);
    const dockerfile = await readDockerfile(input);
    const plan = planDockerfile(dockerfile, {
      target: input.target,
      buildArguments: input.buildArguments,
      platformVariables: platformVariables(platform),
    });
    const bases = await findBaseImages(plan.baseImages, {
      storage: new ContainerStorage(join(temporary, 'storage'), temporary),
      settings: this.#settings,
      upstream: this.#upstream,
      destination,
      platform,
      temporaryDirectory: temporary,
      onLine,
      onStep: input.onStep,
      signal,
    });
    const { host } = new URL(destination.url);
    const name = ({ path, digest }: BaseImage): string => `${host}/${path}@${digest}`;
    const file = join(temporary, 'Dockerfile');
    await writeFile(file, plan.withNames(new Map(bases.map((base) => [base.reference, name(base)]))));
    const tag = `${host}/${destination.path}:${destination.tag}`;
    await docker.build(file, tag, dockerfile);
    await onLine('Pushing image to the registry...');
    const pushed = await whenRegistryAnswers(
      async () => {
        const digest = await docker.push(tag);
        return await settlePushedImage(destination, digest, input.sourceDateEpoch, signal);
      },
      { signal, onLine },
    );
    return {
      ...pushed,
      baseImages: bases.map(({ reference, digest }) => ({ name: reference.name, digest })),
      builder: { name: 'buildkit', version },
    };
  }
}

/** docker's own client, which ends what it has begun in the engine when it is ended. */
class DockerClient {
  readonly #settings: Settings;
  readonly #input: ImageBuild;
  /** For its configuration, and so its credentials. */
  readonly #directory: string;

  constructor(settings: Settings, input: ImageBuild, directory: string) {
    this.#settings = settings;
    this.#input = input;
    this.#directory = directory;
  }

  async version(): Promise<string> {
    const outcome = await this.#run(['version', '--format', '{{.Server.Version}}'], () => null).catch(
      (error: unknown) => {
        this.#input.signal.throwIfAborted();
        throw unavailable((error as Error).message);
      },
    );
    if (outcome.exitCode === 0) return outcome.lines[0]?.trim() ?? 'unknown';
    throw unavailable(outcome.lines.at(-1) ?? `docker ended with status ${outcome.exitCode}`);
  }

  async build(file: string, tag: string, dockerfile: string): Promise<void> {
    const input = this.#input;
    const secrets = secretVariables(input.secrets);
    let line: number | null = null;
    const outcome = await this.#run(
      [
        ...['build', '--progress=plain', '--file', file, '--tag', tag],
        ...(input.isHermetic ? ['--network', 'none'] : []),
        ...(input.useCache ? [] : ['--no-cache']),
        ...(input.target === null ? [] : ['--target', input.target]),
        ...(input.platform === null ? [] : ['--platform', input.platform]),
        ...Object.entries(input.buildArguments).flatMap(([name, value]) => [
          '--build-arg',
          `${name}=${value}`,
        ]),
        ...Object.entries(input.labels).flatMap(([name, value]) => ['--label', `${name}=${value}`]),
        ...secretArguments(secrets),
        input.contextDirectory,
      ],
      (said) => {
        line = lineOfProgress(said, dockerfile) ?? line;
        if (line !== null) input.onStep(line);
        return input.onLine(said);
      },
      secretEnvironment(secrets),
    );
    if (outcome.timedOut) throw outOfTime(input.limits.seconds, line);
    if (outcome.exitCode !== 0) throw failureOf(outcome.lines, dockerfile);
  }

  /** The digest that the registry has got. */
  async push(tag: string): Promise<string> {
    const { exitCode, lines } = await this.#run(['push', tag], () => null);
    const digest = lines.map((line) => /digest: (sha256:[0-9a-f]{64})/.exec(line)?.[1]).findLast(Boolean);
    if (exitCode === 0 && digest !== undefined) return digest;
    throw pushFailure(lines.at(-1) ?? '');
  }

  async #run(
    args: readonly string[],
    onLine: ImageBuild['onLine'],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<{ exitCode: number | null; timedOut: boolean; lines: string[] }> {
    const { signal, limits, destination } = this.#input;
    const { username, password } = destination.credentials;
    const auth = Buffer.from(`${username}:${password}`).toString('base64');
    await writeFile(
      join(this.#directory, 'config.json'),
      JSON.stringify({ auths: { [new URL(destination.url).host]: { auth } } }),
      { mode: 0o600 },
    );
    const options: GroupOptions = {
      workingDirectory: this.#directory,
      environment: {
        ...environment,
        PATH: process.env.PATH ?? PROGRAMS,
        HOME: this.#directory,
        DOCKER_CONFIG: this.#directory,
        DOCKER_BUILDKIT: '1',
        ...(this.#settings.buildkitHost !== null && { DOCKER_HOST: this.#settings.buildkitHost }),
      },
      signal,
      seconds: limits.seconds,
    };
    // In one stream, as they come: the client writes its progress to stderr.
    const merged = ['-c', 'exec docker "$@" 2>&1', 'sh'];
    const group = startProcessGroup('sh', [...merged, ...args], options);
    group.stdin.end();
    const lines: string[] = [];
    const passing = passOnLines(group.stdout, (line) => {
      lines.push(line);
      if (lines.length > MOST_LINES) lines.shift();
      return onLine(line);
    });
    const [{ exitCode, timedOut }] = await Promise.all([group.ended, passing]);
    // Whatever the engine says of a step that it has ended because of that.
    signal.throwIfAborted();
    return { exitCode, timedOut, lines };
  }
}

/** `#7 [stage 2/3] RUN …`, as the client says which instruction is worked on. */
function lineOfProgress(said: string, dockerfile: string): number | null {
  const [, text] = /^#\d+ \[(?:\S+ )?\d+\/\d+\] (.*)$/.exec(said) ?? [];
  return text === undefined ? null : lineOf(text, dockerfile);
}

function lineOf(text: string, dockerfile: string): number | null {
  const index = dockerfile.split('\n').findIndex((line) => line.trim() === text.trim());
  return index < 0 ? null : index + 1;
}

function failureOf(lines: readonly string[], dockerfile: string): BuildFailure {
  const [, text] = lines.map((line) => /^ > \[[^\]]*\] (.*):$/.exec(line)).findLast(Boolean) ?? [];
  const error = lines.findLast((line) => line.trim() !== '') ?? '';
  const status = /exit code: (\d+)/.exec(error)?.[1];
  if (text !== undefined) {
    const [first = ''] = text.split(' ', 2);
    const at = lineOf(text, dockerfile);
    const exitStatus = status === undefined ? null : Number(status);
    return new BuildFailure('step-failed', `"${text}" failed: ${error}`, {
      ...(at !== null && { line: at }),
      details: { step: text, instruction: first, exitStatus },
    });
  }
  const [, line] = /(?:parse error line|Dockerfile:|line) ?(\d+)/.exec(error) ?? [];
  if (line !== undefined || /dockerfile|instruction|stage/i.test(error)) {
    return new BuildFailure('dockerfile-invalid', `The Dockerfile is not valid: ${error}`, {
      ...(line !== undefined && { line: Number(line) }),
    });
  }
  return new BuildFailure('internal', `The builder has failed: ${error}`, { retryable: true });
}

function unavailable(problem: string): BuildFailure {
  return new BuildFailure('builder-unavailable', `The Docker engine cannot be used: ${problem}`, {
    hint: 'Set STOWAGE_BUILDKIT_HOST to the address of an engine, and install docker on the worker.',
  });
}
