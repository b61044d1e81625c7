import { cycloneDx } from '../../domain/bundles/sbom/cyclonedx.ts';
import type { SbomSubject } from '../../domain/bundles/sbom/sbom-document.ts';
import { DomainError } from '../../domain/errors.ts';
import type { PlainSource } from '../../domain/images/build-statements.ts';
import { ignoreFiles, ignoreRule, MAX_IGNORE_BYTES } from '../../domain/sources/docker-ignore.ts';
import { maskCredentials } from '../downloads/mask-credentials.ts';
import {
  DESCRIBED_FILE_NAMES,
  describeSource,
  type Remark,
  type SourceDescription,
} from '../ecosystems/describe-source.ts';
import { DirectoryFiles } from '../sources/directory-files.ts';
import type { BuildContext } from './build-image.ts';

/** Files whose names say that they matter here; a repository with more is none that anybody has written. */
const MOST_FILES = 10_000;
/** Bytes of all lock files, and what they name: the SBOM is in memory, and others must be able to read it. */
const MOST_LOCK_BYTES = 16 * 1024 * 1024;
const MOST_COMPONENTS = 30_000;
const MOST_PACKAGES = 1_000;
const MOST_SBOM_BYTES = 20 * 1024 * 1024;
const MOST_REMARKS = 1_000;
const MOST_LINES = 20;

interface LaidOutSource {
  /** With the context in it, of which the SBOM knows what `.dockerignore` leaves. */
  directory: string;
  /** Seconds since 1970. */
  time: number;
  from: PlainSource;
}

/**
 * CycloneDX of what the lock files of a build's source pin, from their texts. Whatever is wrong with them is told in it and in
 * the log; the build goes on.
 */
export async function contextSbom(
  { worker, build, log, signal }: BuildContext,
  { directory, time, from }: LaidOutSource,
): Promise<string> {
  const { files, unusable, isCut } = await DirectoryFiles.find(directory, {
    names: DESCRIBED_FILE_NAMES,
    isEntered: (name) => !name.startsWith('.') && name !== 'node_modules',
    isKept: await selectionOf(directory, build.options.dockerfile),
    most: MOST_FILES,
    signal,
  });
  const { lockFileBytes, dependencies } = worker.settings.limits;
  const limits = {
    lockFileBytes: Math.min(lockFileBytes, MOST_LOCK_BYTES),
    dependencies: Math.min(dependencies, MOST_COMPONENTS),
    packages: MOST_PACKAGES,
  };
  const repository = from.kind === 'git' ? maskCredentials(from.repository) : null;
  const commit = from.kind === 'git' ? from.commit : null;
  const description = await describeSource(files, { repository, commit }, limits, {
    signal,
    onDefect: (error) => worker.logger.error({ err: error, build: build.id }, 'a lock file was not read'),
  });
  const unread = [
    ...unusable.map((file) => ({ file, text: 'the link leads to no file of the source' })),
    ...(isCut ? [{ file: '.', text: `there are more than ${MOST_FILES} files of packages` }] : []),
    ...description.unread,
  ].map(masked);
  for (const line of remarkLines(unread)) log.warn(`SBOM: ${line}`);
  const sourceId = from.kind === 'git' ? from.commit : from.digest.slice('sha256:'.length);
  const subject = { identity: sourceId, repository, commit, sourceId, time };
  return textOf(subject, { ...description, unread }, (text) => log.warn(`SBOM: ${text}`));
}

async function selectionOf(directory: string, dockerfile: string): Promise<(path: string) => boolean> {
  const files = await DirectoryFiles.at(directory);
  try {
    const name = ignoreFiles(dockerfile).find((one) => files.lookup(one) !== null);
    if (name === undefined) return () => true;
    const isIgnored = ignoreRule((await files.read(name, MAX_IGNORE_BYTES)).toString());
    return (path) => !isIgnored(path);
  } catch (error) {
    // The builder has a word on it, if it cannot read them either.
    if (error instanceof DomainError) return () => true;
    throw error;
  }
}

/** Without components, where they are more than anybody reads. */
function textOf(
  subject: Omit<SbomSubject, 'components' | 'properties'>,
  description: SourceDescription,
  warn: (text: string) => void,
): string {
  const { components } = description;
  const text = cycloneDx({ ...subject, components, properties: propertiesOf(description) });
  const size = Buffer.byteLength(text);
  if (size <= MOST_SBOM_BYTES) return text;
  const tooMuch = {
    file: '.',
    text: `${components.length} components need ${size} bytes, more than ${MOST_SBOM_BYTES}`,
  };
  warn(tooMuch.text);
  const properties = propertiesOf({
    components: [],
    lockFiles: [],
    unread: [tooMuch],
    aside: [],
    leftOut: [],
  });
  return cycloneDx({ ...subject, components: [], properties });
}

/** Of the document, see docs/images.md. */
function propertiesOf({
  lockFiles,
  unread,
  aside,
  leftOut,
}: SourceDescription): { name: string; value: string }[] {
  const named = (name: string, values: readonly string[]) =>
    capped(values, MOST_REMARKS).map((value) => ({ name: `stowage:sbom:${name}`, value }));
  return [
    ...named('lock_file', lockFiles),
    ...named('unread', unread.map(remarkText)),
    ...named('left_out', leftOut.map(masked).map(remarkText)),
    ...named('aside', aside),
  ];
}

function remarkLines(remarks: readonly Remark[]): string[] {
  return capped(remarks.map(remarkText), MOST_LINES);
}

function capped(texts: readonly string[], most: number): string[] {
  if (texts.length <= most) return [...texts];
  return [...texts.slice(0, most - 1), `and ${texts.length - most + 1} more`];
}

function remarkText({ file, text }: Remark): string {
  return `${file}: ${text}`.slice(0, 1_000);
}

function masked({ file, text }: Remark): Remark {
  return { file, text: maskCredentials(text) };
}
