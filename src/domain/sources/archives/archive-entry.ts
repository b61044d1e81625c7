import { InvalidFileFormat, UnsupportedFeature, ValidationError } from '../../errors.ts';

/** One entry of an uploaded archive of either kind, as it comes. */
export interface ArchiveEntry {
  /** Without `./` and slashes at the end; checked to stay inside. Empty: the root itself. */
  path: string;
  kind: 'file' | 'directory' | 'symlink' | 'hard link';
  /** Permission bits; null: the archive does not say. */
  permissions: number | null;
  /** Bytes of a file; null: the archive lies about it, so that only reading tells. */
  size: number | null;
  /** Seconds since 1970; 0 when the archive does not say. */
  time: number;
  /** Of a symbolic link: as it is. Of a hard link: a path in the archive. */
  target: string;
  /** Of a file. That of a tar must be read, if at all, before the next entry is asked for. */
  content: AsyncIterable<Uint8Array>;
}

export const NO_CONTENT: AsyncIterable<Uint8Array> = { async *[Symbol.asyncIterator]() {} };

/** The entry's path without `./` and slashes at the end. Refuses paths that lead out of the archive. */
export function entryPath(name: string, archive: 'Tar' | 'Zip'): string {
  if (name.startsWith('/') || name.split('/').includes('..') || /^[A-Za-z]:[\\/]/.test(name)) {
    throw new ValidationError('path-outside-root', `Attempted Path Traversal in ${archive} File`, {
      details: { name },
    });
  }
  return name
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

export function refusedEntry(path: string, kind: string): UnsupportedFeature {
  return new UnsupportedFeature('unsupported-feature', `The archive has the ${kind} ${path}`, {
    hint: 'A source is made of files, directories and symbolic links.',
  });
}

export function brokenArchive(reason: string, cause?: unknown): InvalidFileFormat {
  return new InvalidFileFormat('unexpected-format', `The archive cannot be read: ${reason}`, { cause });
}
