import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ValidationError } from '../../../domain/errors.ts';
import type { ArtifactRequest } from '../../downloads/artifact-store.ts';
import type { ResolveContext } from '../ecosystem.ts';
import { type ArchiveCaps, type ArchiveKind, archiveKind, findInTar, findInZip } from './archive-member.ts';

/** What an sdist's PKG-INFO tells. */
export interface SdistMetadata {
  license: string | null;
}

export interface SdistInspection extends Pick<ResolveContext, 'settings' | 'temporaryDirectory' | 'signal'> {
  fileName: string;
  /** In the bundle. */
  path: string;
}

const MAX_PKG_INFO = 1024 * 1024;

/** An sdist of an index must have PKG-INFO (prefetch.md 5.1). */
export function inspectSdist(inspection: SdistInspection): NonNullable<ArtifactRequest['inspect']> {
  return { name: 'pip-sdist-1', run: (open) => readMetadata(inspection, open) };
}

async function readMetadata(inspection: SdistInspection, open: () => Readable): Promise<SdistMetadata> {
  const { fileName, path, settings, signal } = inspection;
  if (fileName.endsWith('.tar.Z')) return { license: null };
  const kind = archiveKind(fileName);
  if (kind === null) {
    throw new ValidationError(
      'unexpected-format',
      `Cannot check metadata from ${path}, which does not have a known supported extension.`,
    );
  }
  const { entries, unpackedBytes, compressionRatio } = settings.limits;
  const caps: ArchiveCaps = { entries, bytes: unpackedBytes, ratio: compressionRatio, member: MAX_PKG_INFO };
  const content = await findPkgInfo(kind, inspection, open, caps).catch((cause: Error) => {
    signal.throwIfAborted();
    throw new ValidationError(
      'package-rejected',
      `Cannot open ${path} as a ${kind === 'zip' ? 'Zip' : 'Tar'} file. Error: ${cause.message}`,
      { cause },
    );
  });
  if (content === null) {
    throw new ValidationError(
      'package-rejected',
      `${fileName} does not include metadata (there is no PKG-INFO file). It is not a valid sdist and cannot be ` +
        'downloaded from PyPI. Consider editing your requirements file to download the package from git or a direct ' +
        'download URL instead.',
    );
  }
  return { license: licenseOf(content.toString('utf8')) };
}

async function findPkgInfo(
  kind: ArchiveKind,
  { temporaryDirectory, signal }: SdistInspection,
  open: () => Readable,
  caps: ArchiveCaps,
): Promise<Buffer | null> {
  const isPkgInfo = (name: string) => /(^|\/)PKG-INFO$/.test(name);
  if (kind !== 'zip') return findInTar(open(), kind, isPkgInfo, caps, signal);
  // The directory of a zip file is at its end.
  const directory = await mkdtemp(join(temporaryDirectory, 'sdist-'));
  try {
    const file = join(directory, 'sdist.zip');
    await pipeline(open(), createWriteStream(file), { signal });
    return await findInZip(file, isPkgInfo, caps);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** `License-Expression`, or a short `License`. */
function licenseOf(text: string): string | null {
  const head = text.split(/\r?\n\r?\n/, 1)[0]!;
  const field = (name: string) =>
    new RegExp(`^${name}:[ \\t]*(\\S[^\\r\\n]{0,99})\\r?$`, 'im').exec(head)?.[1]?.trim();
  const license = field('License-Expression') ?? field('License') ?? '';
  return license === '' || license === 'UNKNOWN' ? null : license;
}
