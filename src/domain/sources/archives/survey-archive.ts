import { InvalidInputError } from '../../errors.ts';
import { ignoreFiles, MAX_IGNORE_BYTES } from '../docker-ignore.ts';
import { assertSourcePath } from '../source-path.ts';
import type { ArchiveEntry } from './archive-entry.ts';
import { brokenArchive } from './archive-entry.ts';
import { openArchive, type UploadedArchive } from './open-archive.ts';

/** What must be known of an archive before anything of it is written. */
export interface ArchiveSurvey {
  /** Empty, or the single directory at the top, with a slash at the end. */
  root: string;
  /** Patterns of what is not part of the build; null: there are none. */
  ignoreText: string | null;
  /** What hard links lead to. */
  linked: ReadonlySet<string>;
}

/**
 * Reads an archive from end to end and refuses whatever could not be built from: what is unsafe, broken or too much, and
 * what has no Dockerfile (fandogh.md 8). Keeps next to nothing, however many entries there are. Throws DomainError.
 */
export async function surveyArchive(archive: UploadedArchive, dockerfile: string): Promise<ArchiveSurvey> {
  const seen = new Seen(dockerfile);
  const opened = await openArchive(archive);
  try {
    for await (const entry of opened.entries()) {
      archive.signal.throwIfAborted();
      await seen.add(entry);
    }
  } finally {
    opened.close();
  }
  const survey = seen.survey();
  await requireTargets(archive, seen.hardLinks);
  return survey;
}

/** What packers and clients add beside the one directory that somebody packed. */
const BESIDES = new Set(['__MACOSX', '.DS_Store', '.fandogh']);

/** Of the files that matter, the last of each name counts. */
class Seen {
  readonly #dockerfile: string;
  readonly #kinds = new Map<string, ArchiveEntry['kind']>();
  readonly #ignoreTexts = new Map<string, string | null>();
  readonly hardLinks = new Map<string, string>();
  #top: string | null = null;
  #hasOneTop = true;

  constructor(dockerfile: string) {
    this.#dockerfile = dockerfile;
  }

  async add(entry: ArchiveEntry): Promise<void> {
    const { path, kind } = entry;
    if (path === '') return;
    assertSourcePath(path, { gitDirectory: true });
    if (kind === 'hard link') this.hardLinks.set(path, entry.target);
    this.#addTop(path, kind);
    for (const root of this.#roots()) {
      const dockerfile = root + this.#dockerfile;
      if (path === dockerfile) this.#kinds.set(path, kind);
      else if (path.startsWith(`${dockerfile}/`)) this.#kinds.set(dockerfile, 'directory');
      if (ignoreFiles(this.#dockerfile).some((name) => path === root + name)) {
        this.#ignoreTexts.set(path, kind === 'file' ? await ignoreText(entry) : null);
        return;
      }
    }
    // Sizes that are wrong are seen only by reading.
    if (kind === 'file' && entry.size === null) await readThrough(entry);
  }

  #addTop(path: string, kind: ArchiveEntry['kind']): void {
    const cut = path.indexOf('/');
    const top = cut === -1 ? path : path.slice(0, cut);
    if (BESIDES.has(top)) return;
    this.#top ??= top;
    if (top !== this.#top || (cut === -1 && kind !== 'directory')) this.#hasOneTop = false;
  }

  #roots(): string[] {
    return this.#hasOneTop && this.#top !== null ? ['', `${this.#top}/`] : [''];
  }

  survey(): ArchiveSurvey {
    const root = this.#roots().find((one) => {
      const kind = this.#kinds.get(one + this.#dockerfile);
      return kind !== undefined && kind !== 'directory';
    });
    if (root === undefined) throw this.#noDockerfile();
    const name = ignoreFiles(this.#dockerfile).find((one) => this.#ignoreTexts.has(root + one));
    const text = name === undefined ? null : this.#ignoreTexts.get(root + name)!;
    return { root, ignoreText: text, linked: new Set(this.hardLinks.values()) };
  }

  #noDockerfile(): InvalidInputError {
    const name = this.#dockerfile;
    const isDirectory = this.#roots().some((root) => this.#kinds.has(root + name));
    return new InvalidInputError(
      isDirectory
        ? `The archive has a directory where the file ${name} should be`
        : `The archive has no file ${name}`,
      { details: { reason: 'dockerfile-not-found', dockerfile: name } },
    );
  }
}

async function ignoreText({ path, content }: ArchiveEntry): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of content) {
    size += chunk.length;
    if (size > MAX_IGNORE_BYTES)
      throw new InvalidInputError(`The file ${path} has more than ${MAX_IGNORE_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

async function readThrough({ content }: ArchiveEntry): Promise<void> {
  for await (const _chunk of content);
}

/** A hard link may come before what it leads to, so that only a second reading tells whether that is there. */
async function requireTargets(
  archive: UploadedArchive,
  hardLinks: ReadonlyMap<string, string>,
): Promise<void> {
  if (hardLinks.size === 0) return;
  const missing = new Map([...hardLinks].map(([path, target]) => [target, path]));
  const opened = await openArchive(archive);
  try {
    for await (const { path, kind } of opened.entries()) {
      archive.signal.throwIfAborted();
      if (kind !== 'directory') missing.delete(path);
      if (missing.size === 0) return;
    }
  } finally {
    opened.close();
  }
  const [target, path] = missing.entries().next().value!;
  throw brokenArchive(`${path} is a hard link to ${target}, which is not in it`);
}
