import { createReadStream } from 'node:fs';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type TarContent, writeTar } from '../../domain/bundles/deterministic-tar.ts';
import { InvalidInputError } from '../../domain/errors.ts';
import { type IgnoreRule, ignoreRule } from '../../domain/sources/docker-ignore.ts';

export interface PackOptions {
  /** Path of the Dockerfile in the directory: it is sent whatever `.dockerignore` says. */
  dockerfile: string;
  /** Seconds since 1970, of every entry. */
  time: number;
  signal: AbortSignal;
  onSkipped?: (path: string) => void;
}

/**
 * A directory as a tar of what a build may use of it: sorted, without owners, and of modes only whether a file may be run, so
 * that the same files give the same bytes on every machine. Links stay links. Sockets, pipes and devices are left out. Throws
 * InvalidInputError.
 */
export async function* packDirectory(root: string, options: PackOptions): AsyncGenerator<Uint8Array> {
  const selection = await readSelection(root, options.dockerfile);
  yield* writeTar(entries(root, selection, options), { time: options.time });
}

/** What is sent of a directory. */
interface Selection {
  isSent(path: string): boolean;
  /** Whether something below a directory that is not sent may be. */
  hasExceptions: boolean;
}

async function readSelection(root: string, dockerfile: string): Promise<Selection> {
  const ofDockerfile = `${dockerfile}.dockerignore`;
  const text = (await textOf(join(root, ofDockerfile))) ?? (await textOf(join(root, '.dockerignore')));
  const isIgnored: IgnoreRule = text === null ? () => false : ignoreRule(text);
  const always = new Set([dockerfile, ofDockerfile, '.dockerignore']);
  const isSent = (path: string) => always.has(path) || !isIgnored(path);
  return { isSent, hasExceptions: /^\s*!/m.test(text ?? '') || dockerfile.includes('/') };
}

async function textOf(path: string): Promise<string | null> {
  return await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}

async function* entries(
  root: string,
  selection: Selection,
  options: PackOptions,
  directory = '',
): AsyncGenerator<TarContent> {
  for (const name of sorted(await readdir(join(root, directory)))) {
    options.signal.throwIfAborted();
    const path = directory === '' ? name : `${directory}/${name}`;
    const place = join(root, path);
    const found = await lstat(place);
    const isSent = selection.isSent(path);
    if (found.isDirectory()) {
      if (isSent) yield { path, kind: 'directory', mode: 0o755, size: 0 };
      if (isSent || selection.hasExceptions) yield* entries(root, selection, options, path);
    } else if (!isSent) {
    } else if (found.isSymbolicLink()) {
      yield { path, kind: 'symlink', mode: 0o777, size: 0, target: await readlink(place) };
    } else if (found.isFile()) {
      const mode = (found.mode & 0o111) === 0 ? 0o644 : 0o755;
      yield { path, kind: 'file', mode, size: found.size, content: contentOf(place, path, found.size) };
    } else options.onSkipped?.(path);
  }
}

/** Bytewise, as in bundles. */
function sorted(names: string[]): string[] {
  const keyed = names.map((name) => ({ name, key: Buffer.from(name) }));
  return keyed.sort((a, b) => Buffer.compare(a.key, b.key)).map(({ name }) => name);
}

async function* contentOf(place: string, path: string, size: number): AsyncGenerator<Uint8Array> {
  let given = 0;
  if (size > 0) {
    for await (const chunk of createReadStream(place, { end: size - 1, highWaterMark: 256 * 1024 })) {
      given += (chunk as Buffer).length;
      yield chunk as Buffer;
    }
  }
  if (given !== size) throw new InvalidInputError(`${path} was changed while it was being sent`);
}
