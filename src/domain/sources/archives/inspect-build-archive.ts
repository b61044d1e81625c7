import { DomainError, InvalidInputError } from '../../errors.ts';
import type { UploadedArchive } from './open-archive.ts';
import { surveyArchive } from './survey-archive.ts';

/** What a build looks for when it is not told otherwise. */
export const DOCKERFILE = 'Dockerfile';

/**
 * Whether an uploaded archive can be built from, by its bytes alone (fandogh.md 8.2, 8.3). Throws InvalidInputError that
 * says why not; `details.reason` is `dockerfile-not-found` when that is all.
 */
export async function inspectBuildArchive(
  archive: UploadedArchive,
  options: { dockerfile?: string } = {},
): Promise<void> {
  try {
    await surveyArchive(archive, options.dockerfile ?? DOCKERFILE);
  } catch (error) {
    throw asInvalidInput(error);
  }
}

/** Errors of archives are those of bundle requests, whose texts are a contract of theirs. */
export function asInvalidInput(error: unknown): unknown {
  if (!(error instanceof DomainError) || error instanceof InvalidInputError) return error;
  const { name } = error.details;
  const isOutside = error.code === 'path-outside-root';
  const message =
    isOutside && typeof name === 'string'
      ? `The archive has the entry ${JSON.stringify(name)}, which leads out of it`
      : error.message;
  return new InvalidInputError(message, { cause: error, details: { reason: 'source-invalid' } });
}
