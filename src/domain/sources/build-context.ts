import { InvalidInputError } from '../errors.ts';
import { asInvalidInput, DOCKERFILE } from './archives/inspect-build-archive.ts';
import { openArchive, type UploadedArchive } from './archives/open-archive.ts';
import { type ArchiveSurvey, surveyArchive } from './archives/survey-archive.ts';
import { ContextWriter } from './context-writer.ts';
import { ignoreRule } from './docker-ignore.ts';
import { assertSourcePath } from './source-path.ts';

export interface BuildContext {
  /** Regular files that were written. */
  files: number;
  bytes: number;
  /** Of the newest entry, in seconds since 1970; 0 when none says. */
  time: number;
  /** The single directory at the top that was taken for the root, with a slash at the end; empty: there was none. */
  root: string;
}

/**
 * Writes what a build may use of an uploaded archive into an existing empty directory (fandogh.md 8.2 to 8.4): a single
 * directory at the top is the root, what `.dockerignore` names and the client's own `.fandogh/` are left out. No write
 * leaves the directory, whatever the archive says; symbolic links are kept as they are and may point anywhere, except the
 * Dockerfile, which is a file of the context. Throws InvalidInputError.
 */
export async function extractBuildContext(
  archive: UploadedArchive & { directory: string },
  options: { dockerfile?: string } = {},
): Promise<BuildContext> {
  const dockerfile = options.dockerfile ?? DOCKERFILE;
  try {
    const survey = await surveyArchive(archive, dockerfile);
    const writer = new ContextWriter(archive.directory, archive.signal);
    const selection = new Selection(survey, dockerfile);
    const time = await writeEntries(archive, selection, writer);
    await writer.finish((path) => selection.isKept(path));
    if (!(await writer.isFileInside(dockerfile))) {
      throw new InvalidInputError(`The file ${dockerfile} of the archive is a link to nothing in it`, {
        details: { reason: 'dockerfile-not-found', dockerfile },
      });
    }
    return { files: writer.files, bytes: writer.bytes, time, root: survey.root };
  } catch (error) {
    throw asInvalidInput(error);
  }
}

/** Which paths belong to the context. */
class Selection {
  readonly root: string;
  readonly #linked: ReadonlySet<string>;
  readonly #always: ReadonlySet<string>;
  readonly #isIgnored: (path: string) => boolean;

  constructor({ root, ignoreText, linked }: ArchiveSurvey, dockerfile: string) {
    this.root = root;
    this.#linked = linked;
    // The builder needs them, and leaves them out of copies by itself.
    this.#always = new Set([dockerfile, `${dockerfile}.dockerignore`, '.dockerignore']);
    this.#isIgnored = ignoreText === null ? () => false : ignoreRule(ignoreText);
  }

  isKept(path: string): boolean {
    if (path === '.fandogh' || path.startsWith('.fandogh/')) return false;
    return this.#always.has(path) || !this.#isIgnored(path);
  }

  /** What a hard link leads to is needed until that link is made. */
  isWritten(path: string): boolean {
    return this.isKept(path) || this.#linked.has(this.root + path);
  }
}

async function writeEntries(
  archive: UploadedArchive,
  selection: Selection,
  writer: ContextWriter,
): Promise<number> {
  const { root } = selection;
  const opened = await openArchive(archive);
  let newest = 0;
  try {
    for await (const entry of opened.entries()) {
      archive.signal.throwIfAborted();
      if (!entry.path.startsWith(root) || entry.path.length === root.length) continue;
      assertSourcePath(entry.path, { gitDirectory: true });
      const path = entry.path.slice(root.length);
      if (!selection.isWritten(path)) continue;
      newest = Math.max(newest, entry.time);
      if (entry.kind !== 'hard link') await writer.add({ ...entry, path });
      else if (entry.target.startsWith(root)) {
        await writer.add({ ...entry, path, target: entry.target.slice(root.length) });
      } else throw new InvalidInputError(`The archive has a hard link out of ${root}: ${entry.path}`);
    }
    return newest;
  } finally {
    opened.close();
  }
}
