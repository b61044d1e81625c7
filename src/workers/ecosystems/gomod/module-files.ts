import { hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { InvalidChecksum, NetworkError } from '../../../domain/errors.ts';
import type { Artifact, ArtifactRequest } from '../../downloads/artifact-store.ts';
import type { ResolveContext } from '../ecosystem.ts';
import { goModHash, goZipHash } from './dirhash.ts';
import {
  escapeModulePath,
  escapeVersion,
  type ModuleVersion,
  matchesPatterns,
  moduleKey,
} from './module-path.ts';
import type { ModuleProxyServer } from './upstream.ts';

export type FileKind = 'info' | 'mod' | 'zip';

/** A zip file with Go's hash of it. */
export interface ZipFile {
  artifact: Artifact;
  h1: string;
}

/** The limits of the go command itself. */
const MAX_TEXT_BYTES = 16 * 1024 * 1024;
const MAX_ZIP_BYTES = 500 * 1024 * 1024;
const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;

/** Only the go command itself looks into its toolchains. */
export const TOOLCHAIN = 'golang.org/toolchain';

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
  readonly #once = new Map<string, Promise<unknown>>();
  readonly #expected = new Map<string, string>();

  constructor(context: ResolveContext, proxies: readonly ModuleProxyServer[], hidden: string) {
    this.#context = context;
    this.#hidden = hidden;
    this.#proxies = proxies;
  }

  /** The hash that go.sum has of a file: from here on nobody is given another one. */
  expect(kind: 'mod' | 'zip', module: ModuleVersion, h1: string): void {
    this.#expected.set(`${kind} ${moduleKey(module)}`, h1);
  }

  /** With the hash that is expected, if one is. Throws InvalidChecksum, UnknownModuleFile, NetworkError. */
  async expected(kind: FileKind, module: ModuleVersion): Promise<Artifact> {
    if (kind === 'info' || module.path === TOOLCHAIN) return await this.raw(kind, module);
    return await this.#verified(kind, module, this.#expected.get(`${kind} ${moduleKey(module)}`) ?? null);
  }

  /** As the proxy has it. Throws UnknownModuleFile, NetworkError. */
  raw(kind: FileKind, module: ModuleVersion): Promise<Artifact> {
    return this.#remember(`${kind} ${module.path}@${module.version}`, () => this.#fetch(kind, module));
  }

  async mod(module: ModuleVersion, expected: string | null): Promise<Artifact> {
    return await this.#verified('mod', module, expected);
  }

  async zip(module: ModuleVersion, expected: string | null): Promise<ZipFile> {
    const artifact = await this.#verified('zip', module, expected);
    return { artifact, h1: h1Of('zip', artifact) };
  }

  /** What an upstream served to an earlier request is asked for anew when it does not have the hash. */
  async #verified(kind: 'mod' | 'zip', module: ModuleVersion, expected: string | null): Promise<Artifact> {
    const artifact = await this.raw(kind, module);
    const actual = h1Of(kind, artifact);
    if (expected !== null && actual !== expected && artifact.cached) {
      const name = `${kind} ${moduleKey(module)} ${expected}`;
      return await this.#remember(name, () => this.#fetch(kind, module, expected));
    }
    assertHash(`${moduleKey(module)}.${kind}`, expected, actual);
    return artifact;
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

  async #fetch(kind: FileKind, module: ModuleVersion, expected: string | null = null): Promise<Artifact> {
    const path = `${escapeModulePath(module.path)}/@v/${escapeVersion(module.version)}.${kind}`;
    const { limits } = this.#context.settings;
    const proxies = matchesPatterns(this.#hidden, module.path) ? [] : this.#proxies;
    for (const [index, proxy] of proxies.entries()) {
      const url = `${proxy.url}/${path}`;
      try {
        return await this.#context.artifacts.fetch({
          key: expected === null ? `gomod:${url}` : `gomod:${url}#${expected}`,
          url,
          upstream: { url, headers: proxy.headers },
          expected: [],
          fileName: `${module.path}@${module.version}.${kind}`,
          maxBytes: Math.min(kind === 'zip' ? MAX_ZIP_BYTES : MAX_TEXT_BYTES, limits.artifactBytes),
          ...this.#inspection(kind, module, expected),
        });
      } catch (error) {
        if (!isUnknown(error) && !this.#mayTryNext(index, error)) throw error;
      }
    }
    throw new UnknownModuleFile(`No module proxy knows ${path}`);
  }

  /** Done once for ever, and kept with the file: what is rejected here is not stored. */
  #inspection(
    kind: FileKind,
    module: ModuleVersion,
    expected: string | null,
  ): Pick<ArtifactRequest, 'inspect'> {
    const { settings, temporaryDirectory } = this.#context;
    const fileName = `${moduleKey(module)}.${kind}`;
    if (kind === 'info') {
      const run = async (open: () => Readable) => {
        parseInfo(module, await buffer(open()));
        return {};
      };
      return { inspect: { name: 'go-info', run } };
    }
    if (kind === 'zip' && module.path !== TOOLCHAIN) {
      const run = async (open: () => Readable) => {
        const h1 = await goZipHash(fileName, open(), settings.limits, temporaryDirectory);
        assertHash(fileName, expected, h1);
        return { h1 };
      };
      return { inspect: { name: 'go-zip-h1', run } };
    }
    if (expected === null) return {};
    const run = async (open: () => Readable) => {
      const h1 = goModHash(hash('sha256', await buffer(open()), 'hex'));
      assertHash(fileName, expected, h1);
      return { h1 };
    };
    return { inspect: { name: 'go-mod-h1', run } };
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

function h1Of(kind: 'mod' | 'zip', { digests, metadata }: Artifact): string {
  return kind === 'mod' ? goModHash(digests.sha256) : (metadata as { h1: string }).h1;
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

/** Version and time only: what else a proxy tells (where it has the module from) changes without notice. */
export function plainInfo(module: ModuleVersion, content: Buffer): Buffer {
  const { Version = module.version, Time } = parseInfo(module, content);
  return Buffer.from(JSON.stringify(Time === undefined ? { Version } : { Version, Time }));
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
