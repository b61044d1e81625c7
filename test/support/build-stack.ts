import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { readSettings } from '../../src/domain/config.ts';
import { BuildahBuilder } from '../../src/workers/builders/buildah-builder.ts';
import type { BuiltImage, ImageBuild } from '../../src/workers/builders/image-builder.ts';
import { PASSWORD, RegistryStack } from './registry-stack.ts';

const run = promisify(execFile);

/** Programs that the builder needs, as `stowage doctor` tells. */
const PROGRAMS = ['buildah', 'runc', 'skopeo', 'slirp4netns', 'busybox', 'unshare', 'setpriv', 'flock', 'ip'];

/** Why no build can run here; null: they can. */
export function whyNoBuilds(): string | null {
  if (process.getuid?.() !== 0) return 'builds need root';
  const directories = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  const missing = PROGRAMS.filter((name) => !directories.some((path) => existsSync(join(path, name))));
  return missing.length === 0 ? null : `not installed: ${missing.join(', ')}`;
}

/** Whether builds can run here; prints why not. */
export function canBuild(): boolean {
  const reason = whyNoBuilds();
  if (reason !== null) console.warn(`skipped: ${reason}`);
  return reason === null;
}

export type BuildOptions = Partial<Omit<ImageBuild, 'limits'>> & { limits?: Partial<ImageBuild['limits']> };

export interface FinishedBuild extends BuiltImage {
  lines: string[];
}

/** A builder with its own data directory, beside a real registry. */
export class BuildStack {
  readonly registry: RegistryStack;
  readonly directory: string;
  readonly url: string;
  readonly #builders: BuildahBuilder[] = [];
  #builds = 0;

  private constructor(registry: RegistryStack, url: string) {
    this.registry = registry;
    this.url = url;
    this.directory = mkdtempSync(join(tmpdir(), 'stowage-builds-'));
  }

  static async start(): Promise<BuildStack> {
    const registry = await RegistryStack.start();
    return new BuildStack(registry, registry.url);
  }

  builder(environment: Record<string, string> = {}): BuildahBuilder {
    const builder = new BuildahBuilder(
      readSettings({ STOWAGE_DATA_DIR: join(this.directory, 'data'), ...environment }),
    );
    this.#builders.push(builder);
    return builder;
  }

  /** Directory of a new build, with busybox in its context. */
  context(files: Record<string, string>): string {
    const directory = join(this.directory, `build-${++this.#builds}`, 'context');
    mkdirSync(directory, { recursive: true });
    cpSync(busybox(), join(directory, 'busybox'));
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), content);
    }
    return directory;
  }

  input(files: Record<string, string>, options: BuildOptions = {}): ImageBuild & { lines: string[] } {
    const contextDirectory = this.context(files);
    const temporaryDirectory = join(dirname(contextDirectory), 'temporary');
    mkdirSync(temporaryDirectory);
    const lines: string[] = [];
    return {
      contextDirectory,
      dockerfile: 'Dockerfile',
      target: null,
      buildArguments: {},
      secrets: {},
      labels: {},
      platform: null,
      useCache: true,
      cacheScope: '1',
      isHermetic: false,
      mounts: [],
      stepEnvironment: {},
      sourceDateEpoch: 1_700_000_000,
      destination: {
        url: this.url,
        path: 'apps/images/app',
        tag: 'latest',
        credentials: { username: 'ada', password: PASSWORD },
      },
      onLine: (line) => {
        lines.push(line);
        return null;
      },
      onStep: () => undefined,
      signal: new AbortController().signal,
      temporaryDirectory,
      lines,
      ...options,
      limits: {
        seconds: 120,
        memoryBytes: 512 * 1024 ** 2,
        processes: 256,
        diskBytes: 1024 ** 3,
        ...options.limits,
      },
    };
  }

  async build(
    files: Record<string, string>,
    options: BuildOptions = {},
    environment: Record<string, string> = {},
  ): Promise<FinishedBuild> {
    const input = this.input(files, options);
    return { ...(await this.builder(environment).build(input)), lines: input.lines };
  }

  /** What an image runs without its layers being told apart: all its files, by path. */
  async unpacked(path: string): Promise<string> {
    const target = mkdtempSync(join(this.directory, 'unpacked-'));
    const { username, password } = this.input({}).destination.credentials;
    await run('skopeo', [
      ...['copy', '--quiet', '--src-tls-verify=false', '--src-creds', `${username}:${password}`],
      ...[`docker://${new URL(this.url).host}/${path}`, `dir:${target}`],
    ]);
    const { layers } = JSON.parse(readFileSync(join(target, 'manifest.json'), 'utf8')) as {
      layers: { digest: string }[];
    };
    const root = join(target, 'root');
    mkdirSync(root);
    for (const { digest } of layers) {
      await run('tar', ['-xf', join(target, digest.replace('sha256:', '')), '-C', root]);
    }
    return root;
  }

  /** Mounts of this machine that have to do with our builds. */
  mounts(): string[] {
    return readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .filter((line) => line.includes(this.directory));
  }

  /** Waits until nothing is done any more for builds that have ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#builders.map((builder) => builder.settled()));
  }

  async close(): Promise<void> {
    await this.settled();
    await this.registry.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function busybox(): string {
  return ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path))!;
}

/** The start of a Dockerfile whose steps have busybox's programs. */
export const BUSYBOX = [
  'FROM scratch',
  'COPY busybox /bin/busybox',
  'RUN ["/bin/busybox", "--install", "-s", "/bin"]',
].join('\n');
