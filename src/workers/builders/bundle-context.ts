import { createWriteStream } from 'node:fs';
import { chmod, lstat, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { BundleRequest } from '../../domain/bundle-requests/bundle-request.ts';
import {
  readConfigurationFiles,
  readEnvironment,
  type StoredConfigurationFile,
} from '../../domain/bundle-requests/setup.ts';
import { readArchive } from '../../domain/bundles/archive-reader.ts';
import type { EnvironmentVariable } from '../../domain/bundles/bundle-file.ts';
import { openArchive } from '../../domain/bundles/open-archive.ts';
import { type TarMember, TarReader } from '../../domain/bundles/tar-reader.ts';
import { type BundleFacts, reuseBundle } from '../../domain/database/sql/find-bundle.ts';
import type { SqlExecutor } from '../../domain/database/sql-executor.ts';
import { InvalidInputError } from '../../domain/errors.ts';
import type { PackageManager } from '../../domain/packages/package.ts';
import type { BlobStore } from '../../domain/storage/blob-store.ts';
import type { ImageBuild } from './image-builder.ts';

/** Where the steps of a build find the bundle: `deps/`, `config/` and `stowage.env`, read-only. */
const BUNDLE_MOUNT = '/stowage/bundle';
/** Where package managers keep their caches, which have times in them: writable, and in no layer either. */
const CACHE_MOUNT = '/stowage/cache';

/** A build's input that is made of a bundle. */
export interface BundleContext
  extends Pick<ImageBuild, 'contextDirectory' | 'mounts' | 'stepEnvironment' | 'sourceDateEpoch'> {
  bundle: BundleFacts;
  /** Of the bundle's environment what no build can use, for the log. */
  warnings: string[];
}

/**
 * Lays out a complete request's bundle for a build: its source, with the offline configuration over it, is the context, and
 * everything else is mounted for the steps. An unmodified Dockerfile installs from there: `RUN npm ci`,
 * `RUN pip install -r requirements.txt`, `RUN go build ./...`. Throws InvalidInputError when the request has no bundle (any
 * more), DomainError `damaged`.
 *
 * @param directory empty, of this build alone
 */
export async function prepareBundleContext(
  { sql, blobs }: { sql: SqlExecutor; blobs: BlobStore },
  request: BundleRequest,
  directory: string,
  signal: AbortSignal,
): Promise<BundleContext> {
  const bundle = request.bundleDigest === null ? null : await reuseBundle(sql, request.bundleDigest);
  if (request.state !== 'complete' || bundle === null) {
    throw new InvalidInputError(`Request ${request.id} has no bundle to build from: it is ${request.state}`);
  }
  const setup = { request, form: 'offline', baseUrl: '' } as const;
  const environment = await readEnvironment(sql, setup);
  const configuration = await readConfigurationFiles(sql, setup);
  const contextDirectory = join(directory, 'context');
  const bundleDirectory = join(directory, 'bundle');
  const cacheDirectory = join(directory, 'cache');
  const layout = await openArchive(sql, blobs, bundle);
  const time = await unpack(
    readArchive(blobs, layout),
    { context: new Tree(contextDirectory), rest: new Tree(bundleDirectory) },
    signal,
  );
  await layOver(new Tree(contextDirectory), configuration);
  await mkdir(cacheDirectory);
  const { variables, unusable } = stepEnvironment(environment, request.packageManagers);
  return {
    contextDirectory,
    mounts: [
      { directory: bundleDirectory, path: BUNDLE_MOUNT },
      { directory: cacheDirectory, path: CACHE_MOUNT, isWritable: true },
    ],
    // Compilers and packers write this time instead of their own.
    stepEnvironment: { ...variables, SOURCE_DATE_EPOCH: String(time) },
    sourceDateEpoch: time,
    bundle,
    warnings: unusable.map(
      ({ name, value }) => `${name} is not set: nobody knows where ${value} will be in the image`,
    ),
  };
}

// --- files ----------------------------------------------------------------------------------------------------------

const SOURCE = 'app/';

/** Returns the modification time of all members. */
async function unpack(
  archive: NodeJS.ReadableStream,
  { context, rest }: { context: Tree; rest: Tree },
  signal: AbortSignal,
): Promise<number> {
  const bytes = createGunzip();
  const reading = pipeline(archive, bytes, { signal });
  // Whoever reads to the end hears of it below, and the others from the reader.
  reading.catch(() => undefined);
  await Promise.all([context.make(), rest.make()]);
  const reader = new TarReader(bytes);
  let time = 0;
  for (let member = await reader.next(); member; member = await reader.next()) {
    signal.throwIfAborted();
    time = member.time;
    const isSource = member.path.startsWith(SOURCE);
    const path = isSource ? member.path.slice(SOURCE.length) : member.path;
    await (isSource ? context : rest).add({ ...member, path }, reader.content(member));
  }
  await reader.finish();
  await reading;
  return time;
}

async function layOver(context: Tree, files: readonly StoredConfigurationFile[]): Promise<void> {
  for (const { path, content } of files) {
    if (!path.startsWith(SOURCE)) continue;
    await context.replace(path.slice(SOURCE.length), relocated(path, content));
  }
}

/**
 * Offline configuration names the bundle's files relative to its own place in `app/`, which an image does not have: there
 * they are at the mount.
 */
export function relocated(path: string, content: Buffer): Buffer {
  // Bundler reads its paths relative to the directory of the Gemfile.
  const base = posix.dirname(path).replace(/\/\.bundle$/, '');
  const before = `${posix.relative(base, 'deps')}/`;
  const text = content.toString('latin1');
  const moved = text.replaceAll(new RegExp(`(file:|")${escaped(before)}`, 'g'), `$1${BUNDLE_MOUNT}/deps/`);
  return moved === text ? content : Buffer.from(moved, 'latin1');
}

function escaped(text: string): string {
  return text.replaceAll('.', '\\.');
}

/** A directory that is filled, and in which no symbolic link is followed. Modes do not depend on the umask. */
class Tree {
  readonly #root: string;
  readonly #directories = new Set<string>(['.']);

  constructor(root: string) {
    this.#root = root;
  }

  async make(): Promise<void> {
    await mkdir(this.#root, { recursive: true });
  }

  async add({ path, kind, mode, target }: TarMember, content: AsyncIterable<Uint8Array>): Promise<void> {
    const place = await this.#place(path);
    switch (kind) {
      case 'directory':
        await this.#directory(path);
        return;
      case 'symlink':
        await symlink(target, place);
        return;
      case 'file':
        await pipeline(content, createWriteStream(place, { flags: 'wx' }));
        await chmod(place, mode);
        return;
      default:
        throw new Error(`A bundle has no member like ${path} (${kind})`);
    }
  }

  async replace(path: string, content: Buffer): Promise<void> {
    const place = await this.#place(path);
    await rm(place, { force: true });
    await writeFile(place, content, { flag: 'wx' });
    await chmod(place, 0o644);
  }

  /** The path in the file system, in a directory that is there and none that a link leads to. */
  async #place(path: string): Promise<string> {
    const isInside = path !== '' && posix.normalize(path) === path && !/^(\/|\.\.(\/|$))/.test(path);
    if (!isInside) throw new InvalidInputError(`The path ${JSON.stringify(path)} leads out of the bundle`);
    await this.#directory(posix.dirname(path));
    return join(this.#root, path);
  }

  async #directory(path: string): Promise<void> {
    if (this.#directories.has(path)) return;
    await this.#directory(posix.dirname(path));
    const place = join(this.#root, path);
    await mkdir(place).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
      if (!(await lstat(place)).isDirectory()) {
        throw new InvalidInputError(`${path} in the bundle is no directory`);
      }
    });
    await chmod(place, 0o755);
    this.#directories.add(path);
  }
}

// --- environment ----------------------------------------------------------------------------------------------------

/** The bundle is read-only and go wants to write into its cache: it gets modules from the bundle as if that were a proxy. */
const GO: Readonly<Record<string, string>> = {
  GOPROXY: `file://${BUNDLE_MOUNT}/deps/gomod/pkg/mod/cache/download`,
  GOMODCACHE: `${CACHE_MOUNT}/go-modules`,
  GOCACHE: `${CACHE_MOUNT}/go-build`,
};
/** Left to its default: what go installs is looked for there. */
const NOT_SET: ReadonlySet<string> = new Set(['GOPATH']);
/** Without network, npm would wait for an audit and for news of itself. */
const NPM: Readonly<Record<string, string>> = {
  npm_config_offline: 'true',
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_update_notifier: 'false',
  npm_config_cache: `${CACHE_MOUNT}/npm`,
};
const PIP: Readonly<Record<string, string>> = {
  PIP_DISABLE_PIP_VERSION_CHECK: '1',
  PIP_CACHE_DIR: `${CACHE_MOUNT}/pip`,
};

const OF_MANAGER: Partial<Record<PackageManager, Readonly<Record<string, string>>>> = {
  gomod: GO,
  npm: NPM,
  yarn: { ...NPM, YARN_CACHE_FOLDER: `${CACHE_MOUNT}/yarn` },
  pip: PIP,
};

/** A bundle's offline environment as the steps of a build need it. */
export function stepEnvironment(
  environment: readonly EnvironmentVariable[],
  managers: readonly PackageManager[],
): { variables: Record<string, string>; unusable: EnvironmentVariable[] } {
  const variables: Record<string, string> = { STOWAGE_BUNDLE: BUNDLE_MOUNT };
  const unusable: EnvironmentVariable[] = [];
  for (const variable of environment) {
    const { name, value, kind } = variable;
    if (NOT_SET.has(name)) continue;
    if (kind === 'literal') variables[name] = value;
    else if (!value.startsWith(SOURCE)) variables[name] = posix.join(BUNDLE_MOUNT, value);
    // go looks for its workspace itself, from where it runs.
    else if (name !== 'GOWORK') unusable.push(variable);
  }
  for (const manager of managers) Object.assign(variables, OF_MANAGER[manager]);
  return { variables, unusable };
}
