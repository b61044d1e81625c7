import pLimit from 'p-limit';
import { InvalidChecksum, NetworkError } from '../../../domain/errors.ts';
import type { Artifact } from '../../downloads/artifact-store.ts';
import type { ResolveContext } from '../ecosystem.ts';
import { goModHash, goZipHash } from './dirhash.ts';
import { escapeModulePath, escapeVersion, type ModuleVersion, matchesPatterns } from './module-path.ts';
import type { ModuleProxyServer } from './upstream.ts';

export type FileKind = 'info' | 'mod' | 'zip';

/** A zip file with the blob of its `.ziphash`. */
export interface ZipFile {
  artifact: Artifact;
  h1: string;
  hashFile: Artifact;
}

/** The limits of the go command itself. */
const MAX_TEXT_BYTES = 16 * 1024 * 1024;
const MAX_ZIP_BYTES = 500 * 1024 * 1024;
const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;

/** Each holds an archive in memory. */
const HASHES_AT_A_TIME = 4;

/** Thrown when no proxy knows the file: the go command may know another way. */
export class UnknownModuleFile extends Error {}

/**
 * The files of modules in exact versions, from the artefact store or the operator's proxies, in their order. Each is
 * fetched at most once, however many ask for it.
 */
export class ModuleFiles {
  readonly #context: ResolveContext;
  readonly #proxies: readonly ModuleProxyServer[];
  /** GONOPROXY: names that no proxy may hear of. */
  readonly #hidden: string;
  readonly #hashing = pLimit(HASHES_AT_A_TIME);
  readonly #once = new Map<string, Promise<unknown>>();

  constructor(context: ResolveContext, proxies: readonly ModuleProxyServer[], hidden: string) {
    this.#context = context;
    this.#hidden = hidden;
    this.#proxies = proxies;
  }

  /** As the proxy has it. Throws UnknownModuleFile, NetworkError. */
  raw(kind: FileKind, module: ModuleVersion): Promise<Artifact> {
    return this.#remember(`${kind} ${module.path}@${module.version}`, () => this.#fetch(kind, module));
  }

  async mod(module: ModuleVersion, expected: string | null): Promise<Artifact> {
    const artifact = await this.raw('mod', module);
    assertHash(`${module.path}@${module.version}.mod`, expected, goModHash(artifact.digests.sha256));
    return artifact;
  }

  async zip(module: ModuleVersion, expected: string | null): Promise<ZipFile> {
    const artifact = await this.raw('zip', module);
    const hashed = await this.hashed(module, artifact);
    assertHash(`${module.path}@${module.version}.zip`, expected, hashed.h1);
    return hashed;
  }

  /** Version and time only: what else a proxy tells (where it has the module from) changes without notice. */
  info(module: ModuleVersion): Promise<Artifact> {
    return this.#remember(`plain info ${module.path}@${module.version}`, async () => {
      const raw = await this.raw('info', module);
      return this.plainInfo(module, raw.digest, () =>
        this.#context.blobs.readWhole(raw.digest, MAX_TEXT_BYTES),
      );
    });
  }

  /** Of an `.info` file, wherever it comes from. `identity` names its content. */
  plainInfo(module: ModuleVersion, identity: string, read: () => Promise<Buffer>): Promise<Artifact> {
    return this.#context.artifacts.derive({
      key: `gomod-info:${module.path}@${module.version}:${identity}`,
      url: `${module.path}@${module.version}.info`,
      produce: async () => {
        const { Version = module.version, Time } = parseInfo(module, await read());
        return { content: Buffer.from(JSON.stringify(Time === undefined ? { Version } : { Version, Time })) };
      },
    });
  }

  /** Go's hash of a zip file, computed once for ever. */
  hashed(module: ModuleVersion, artifact: Artifact): Promise<ZipFile> {
    return this.#remember(`ziphash ${artifact.digest}`, async () => {
      const { artifacts, blobs, settings } = this.#context;
      const fileName = `${module.path}@${module.version}.zip`;
      const hashFile = await artifacts.derive({
        key: `gomod-ziphash:${artifact.digest}`,
        url: `${fileName}hash`,
        produce: async () => {
          const h1 = await this.#hashing(() => goZipHash(fileName, artifact, blobs, settings.limits));
          return { content: Buffer.from(h1), metadata: { h1 } };
        },
      });
      return { artifact, hashFile, h1: (hashFile.metadata as { h1: string }).h1 };
    });
  }

  /** What changes: lists of versions, queries, the checksum database. Null when no proxy knows it. */
  async document(path: string): Promise<Buffer | null> {
    for (const [index, proxy] of this.#proxies.entries()) {
      try {
        const { status, body } = await this.#context.artifacts.fetchDocument({
          url: `${proxy.url}/${path}`,
          headers: proxy.headers,
          maxBytes: MAX_DOCUMENT_BYTES,
          trusted: true,
          accept: [404, 410],
        });
        if (status !== 404 && status !== 410) return body;
      } catch (error) {
        if (!this.#mayTryNext(index, error)) throw error;
      }
    }
    return null;
  }

  async #fetch(kind: FileKind, module: ModuleVersion): Promise<Artifact> {
    const path = `${escapeModulePath(module.path)}/@v/${escapeVersion(module.version)}.${kind}`;
    const { artifactBytes } = this.#context.settings.limits;
    const proxies = matchesPatterns(this.#hidden, module.path) ? [] : this.#proxies;
    for (const [index, proxy] of proxies.entries()) {
      const url = `${proxy.url}/${path}`;
      try {
        return await this.#context.artifacts.fetch({
          key: `gomod:${url}`,
          url,
          upstream: { url, headers: proxy.headers },
          expected: [],
          fileName: `${module.path}@${module.version}.${kind}`,
          maxBytes: Math.min(kind === 'zip' ? MAX_ZIP_BYTES : MAX_TEXT_BYTES, artifactBytes),
        });
      } catch (error) {
        if (!isUnknown(error) && !this.#mayTryNext(index, error)) throw error;
      }
    }
    throw new UnknownModuleFile(`No module proxy knows ${path}`);
  }

  #mayTryNext(index: number, error: unknown): boolean {
    const isLast = index === this.#proxies.length - 1;
    return error instanceof NetworkError && !isLast && this.#proxies[index]!.nextOnAnyError;
  }

  #remember<T>(key: string, make: () => Promise<T>): Promise<T> {
    const known = this.#once.get(key) as Promise<T> | undefined;
    if (known) return known;
    const made = make();
    this.#once.set(key, made);
    made.catch(() => undefined);
    return made;
  }
}

/** Throws InvalidChecksum; the text is that of every checksum (prefetch.md 3.1). */
export function assertHash(fileName: string, expected: string | null, actual: string): void {
  if (expected === null || expected === actual) return;
  throw new InvalidChecksum(
    'checksum-mismatch',
    `The file ${fileName} has an unexpected checksum value, expected ${expected} but computed ${actual}`,
    { details: { file: fileName, expected, actual } },
  );
}

/** The proxy's answer for what it does not have. */
function isUnknown(error: unknown): boolean {
  return error instanceof NetworkError && /\bstatus (404|410)\b/.test(error.message);
}

function parseInfo({ path, version }: ModuleVersion, content: Buffer): { Version?: string; Time?: string } {
  try {
    const parsed: unknown = JSON.parse(content.toString());
    if (typeof parsed === 'object' && parsed !== null) return parsed;
  } catch {
    // Told below.
  }
  throw new NetworkError('fetch-failed', `The file ${path}@${version}.info is not valid JSON`);
}
