import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import semver from 'semver';
import { InvalidFileFormat } from '../../../domain/errors.ts';
import type { StoredBlob } from '../../../domain/storage/blob-store.ts';
import type { Artifact } from '../../downloads/artifact-store.ts';
import type { ResolveContext } from '../ecosystem.ts';
import { goModHash, goZipHash } from './dirhash.ts';
import type { GoSum } from './go-sum.ts';
import { BundleLayout, moduleFilePath, versionsDirectory } from './layout.ts';
import type { ModuleCache } from './module-cache.ts';
import { assertHash, type ModuleFiles, plainInfo, UnknownModuleFile, type ZipFile } from './module-files.ts';
import { type ModuleVersion, moduleKey } from './module-path.ts';

const TIDY = 'Run `go mod tidy` and commit go.sum.';

/** A module whose archive is in the bundle. */
export interface ShippedModule extends ModuleVersion {
  zip: Artifact;
  bundlePath: string;
  /** The go.sum that should name it and does not; null when it does. */
  missingHashIn: string | null;
}

/** What one module of the source brings. */
export interface ShippedModules {
  modules: readonly ModuleVersion[];
  /** The hashes after the go command has run. */
  sums: GoSum;
  /** The hashes of the source. */
  known: GoSum;
  /** Path of its go.sum. */
  inFile: string;
}

/**
 * The files of the download cache that the modules need offline: the archives that go used, and the go.mod files that
 * go.sum names, which depends on the source only and not on what else is in the cache.
 */
export class ShippedFiles {
  readonly layout = new BundleLayout();
  readonly modules = new Map<string, ShippedModule>();
  readonly #context: ResolveContext;
  readonly #files: ModuleFiles;
  readonly #cache: ModuleCache;
  /** Versions by module path. */
  readonly #versions = new Map<string, Set<string>>();

  constructor(context: ResolveContext, files: ModuleFiles, cache: ModuleCache) {
    this.#context = context;
    this.#files = files;
    this.#cache = cache;
  }

  async add({ modules, sums, known, inFile }: ShippedModules): Promise<void> {
    this.#reportUnknownHashes(
      modules.filter((module) => !known.zips.has(moduleKey(module))),
      inFile,
    );
    const mods = new Map<string, ModuleVersion>(sums.mods);
    for (const module of modules) mods.set(moduleKey(module), module);
    await Promise.all([
      ...modules.map((module) => this.#addModule(module, { sums, known, inFile })),
      ...[...mods.values()].map((module) => this.#addGoMod(module, sums)),
    ]);
  }

  /** `list` files hold exactly the versions shipped (prefetch.md 2.3). */
  async addLists(): Promise<void> {
    await Promise.all(
      [...this.#versions].map(async ([path, versions]) => {
        const content = [...versions]
          .sort(compareVersions)
          .map((version) => `${version}\n`)
          .join('');
        const list = await this.#store(Buffer.from(content));
        this.layout.add(`${versionsDirectory(path)}/list`, list);
      }),
    );
  }

  /** prefetch.md 12: strict integrity leaves no gaps. */
  #reportUnknownHashes(unknown: readonly ModuleVersion[], inFile: string): void {
    const [first] = unknown;
    if (!first) return;
    if (this.#context.request.strictIntegrity) {
      throw new InvalidFileFormat(
        'missing-checksum',
        `The module ${moduleKey(first)} has no checksum in ${inFile}`,
        { hint: TIDY },
      );
    }
    this.#context.log.warn(
      `gomod: ${unknown.length} modules have no checksum in ${inFile}, the first is ${moduleKey(first)}. ${TIDY}`,
    );
  }

  async #addModule(
    module: ModuleVersion,
    { sums, known, inFile }: Omit<ShippedModules, 'modules'>,
  ): Promise<void> {
    const key = moduleKey(module);
    const { artifact, h1 } = await this.#zip(module, sums.zips.get(key)?.h1 ?? null);
    const bundlePath = moduleFilePath(module, 'zip');
    this.layout.add(bundlePath, artifact);
    this.layout.add(moduleFilePath(module, 'ziphash'), await this.#store(Buffer.from(h1)));
    this.layout.add(moduleFilePath(module, 'info'), await this.#info(module));
    const missingHashIn = known.zips.has(key) ? null : inFile;
    this.modules.set(key, {
      path: module.path,
      version: module.version,
      zip: artifact,
      bundlePath,
      missingHashIn,
    });
  }

  async #addGoMod(module: ModuleVersion, sums: GoSum): Promise<void> {
    const mod = await this.#goMod(module, sums.mods.get(moduleKey(module))?.h1 ?? null);
    if (mod === null) {
      this.#context.log.warn(
        `gomod: go.sum names ${moduleKey(module)}, which cannot be found; go does not need it`,
      );
      return;
    }
    this.layout.add(moduleFilePath(module, 'mod'), mod);
    const versions = this.#versions.get(module.path) ?? new Set();
    this.#versions.set(module.path, versions.add(module.version));
  }

  async #zip(module: ModuleVersion, expected: string | null): Promise<ZipFile> {
    try {
      return await this.#files.zip(module, expected);
    } catch (error) {
      if (!(error instanceof UnknownModuleFile)) throw error;
    }
    const { blobs, settings, temporaryDirectory } = this.#context;
    const artifact = await this.#keep('zip', module);
    const name = `${moduleKey(module)}.zip`;
    const h1 = await goZipHash(name, blobs.read(artifact.digest), settings.limits, temporaryDirectory);
    assertHash(name, expected, h1);
    return { artifact, h1 };
  }

  async #info(module: ModuleVersion): Promise<StoredBlob> {
    return await this.#store(plainInfo(module, await this.#rawInfo(module)));
  }

  async #rawInfo(module: ModuleVersion): Promise<Buffer> {
    try {
      const { digest } = await this.#files.raw('info', module);
      return await this.#context.blobs.readWhole(digest);
    } catch (error) {
      if (!(error instanceof UnknownModuleFile)) throw error;
    }
    return await readFile(this.#cache.pathOf('info', module));
  }

  /** Null when nobody has it: go.sum may name what nothing needs any more. */
  async #goMod(module: ModuleVersion, expected: string | null): Promise<Artifact | null> {
    try {
      return await this.#files.mod(module, expected);
    } catch (error) {
      if (!(error instanceof UnknownModuleFile)) throw error;
    }
    if (!this.#cache.has('mod', module)) return null;
    const mod = await this.#keep('mod', module);
    assertHash(`${moduleKey(module)}.mod`, expected, goModHash(mod.digests.sha256));
    return mod;
  }

  async #store(content: Buffer): Promise<StoredBlob> {
    return await this.#context.blobs.write(content, { durability: 'batch' });
  }

  /** A file that the go command itself fetched, from a repository. */
  async #keep(kind: 'mod' | 'zip', module: ModuleVersion): Promise<Artifact> {
    const content = createReadStream(this.#cache.pathOf(kind, module));
    const stored = await this.#context.blobs.write(content, {
      durability: 'batch',
      signal: this.#context.signal,
    });
    const name = `${moduleKey(module)}.${kind}`;
    const digests = { sha256: stored.digest.slice('sha256:'.length) };
    return { ...stored, key: `gomod-direct:${name}`, url: name, digests, metadata: null, cached: false };
  }
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [semver.parse(a.slice(1)), semver.parse(b.slice(1))];
  return (left && right && semver.compare(left, right)) || (a < b ? -1 : 1);
}
