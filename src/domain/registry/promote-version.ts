import { findImageVersion, type ImageVersion } from '../database/sql/image-packages.ts';
import { NotFoundError } from '../errors.ts';
import type { RegistryPrincipal } from './access.ts';
import { findImageId } from './image-packages.ts';
import type { RepositoryName } from './management.ts';
import type { Registry } from './registry.ts';
import { imageIn } from './repository-access.ts';
import { parseStage, promoteTag } from './stages.ts';

/**
 * Promotes a tag (bkrepo-docker.md 3.2). Throws NotFoundError, whose details name what is missing, InvalidInputError for an
 * unknown stage, ConflictError for one that is not ahead.
 */
export async function promoteVersion(
  registry: Registry,
  principal: RegistryPrincipal,
  repository: RepositoryName,
  image: string,
  { tag, stage }: { tag: string; stage: string | null },
): Promise<ImageVersion> {
  const imageId = await findImageId(registry, principal, repository, image, 'push');
  if (imageId === null) throw missing('image', image);
  const wanted = stage === null ? null : parseStage(stage);
  const { sql } = registry.database;
  if ((await findImageVersion(sql, imageId, tag)) === null) throw missing('tag', tag);
  await promoteTag(registry, principal, imageIn(repository, image), { tag, stage: wanted });
  const promoted = await findImageVersion(sql, imageId, tag);
  if (promoted === null) throw missing('tag', tag);
  return promoted;
}

function missing(kind: 'image' | 'tag', name: string): NotFoundError {
  return new NotFoundError(`There is no ${kind} "${name.slice(0, 200)}"`, { details: { [kind]: name } });
}
